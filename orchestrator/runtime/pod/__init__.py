"""What runs in a pod beside the engine's image: fetch before it, sync next to it, a shell script in it."""
