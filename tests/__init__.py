"""A package, so that no other one called `tests` is found in its place: that of an installed wheel, for example."""
