"""From shards of pictures to batches: shards, images and plan know nothing of Ray; source puts them behind Ray Data."""
