"""Sweeps: one job in many versions, in search of the best parameters."""
