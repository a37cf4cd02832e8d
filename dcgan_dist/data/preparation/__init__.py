"""From a source of pictures to shuffled shards of one size, as `dcgan_dist.data.prepare` does it; no Ray."""
