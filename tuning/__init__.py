"""Sweeps over the settings of training runs, with Ray Tune."""
