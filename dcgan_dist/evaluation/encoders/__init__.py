"""From images to features: discriminators and baselines."""
