"""Tasks: labeled images that features are evaluated on, one kind a file, and their registry."""
