"""Shards: tar files of images, their index, and how they are written."""
