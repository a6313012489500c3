"""`mox.run` for PyTorch."""
