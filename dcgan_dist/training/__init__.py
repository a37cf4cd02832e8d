"""A run from its options to its end: workers, their supervision, and what is settled before they start."""
