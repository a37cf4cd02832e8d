"""How alike samples and images are, as two sets of features: distances, and how far one set lies within the other."""
