"""From shards to batches: the order of samples, and how Ray Data reads and caches them."""
