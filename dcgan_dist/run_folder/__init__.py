"""The folder of a run: its name, record, lock, attempts and checkpoints."""
