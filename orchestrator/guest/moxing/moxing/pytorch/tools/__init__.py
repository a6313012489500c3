"""Small helpers of scripts."""
