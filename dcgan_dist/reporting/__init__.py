"""Reports: what a page says of a run, of several, or of a sweep, read from their folders alone."""
