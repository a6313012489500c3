"""What does not depend on a machine learning framework."""
