"""The front of an online service: it speaks the protocols, and has processes with engines hold the models."""
