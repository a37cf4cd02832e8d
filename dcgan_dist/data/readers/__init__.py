"""What images are made into shards from, one format a file."""
