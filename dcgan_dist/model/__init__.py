"""The networks and one step of their training: plain PyTorch, which never meets Ray."""
