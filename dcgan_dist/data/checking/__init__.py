"""Whether shards are what they should be: every byte and every image of them is read once; no Ray."""
