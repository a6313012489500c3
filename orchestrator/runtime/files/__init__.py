"""Files in buckets, for the script beside this process: it asks over a Unix socket, and never sees keys."""
