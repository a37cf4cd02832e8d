"""How good the features of a discriminator are: a linear classifier on them, by actors that share the images."""
