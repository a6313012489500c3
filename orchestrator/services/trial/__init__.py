"""A service asked about pictures whose answers are known."""
