"""Near duplicates: which images of a data set show the same picture, and one page to look at them."""
