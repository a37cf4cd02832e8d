"""Where metrics go: curves, TensorBoard, Prometheus, the terminal, trackers."""
