"""The registry: what training made, as numbered versions that can be deployed."""
