"""Base classes of services."""
