"""What is written down while a run goes on: from the workers through a mailbox to terminal, TensorBoard and files."""
