"""Features that no discriminator made: what the paper compares itself with."""
