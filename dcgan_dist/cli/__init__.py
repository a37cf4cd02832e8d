"""How commands read their arguments and name each other."""
