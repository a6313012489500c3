"""Answers to many files."""
