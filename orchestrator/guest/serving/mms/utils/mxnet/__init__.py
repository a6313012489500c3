"""Helpers of services for MXNet."""
