"""Loads a model's package with the engine's own Python, and answers what the front of the service asks."""
