"""Container images: which there are, and how they are built and copied with the user's own program for it."""
