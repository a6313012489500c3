"""A service's answers to many files."""
