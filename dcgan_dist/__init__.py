"""dcgan-dist: train a DCGAN on one machine or many, and check what the DCGAN paper says about it."""

__version__ = "0.1.0"
