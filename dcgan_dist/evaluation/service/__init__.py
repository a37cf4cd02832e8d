"""Evaluation on a pool of actors, once or while a run trains."""
