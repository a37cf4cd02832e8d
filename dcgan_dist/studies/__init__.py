"""What is asked of a trained run."""
