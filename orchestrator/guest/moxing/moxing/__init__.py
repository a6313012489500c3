"""MoXing for jobs of mlctl, in the script's own Python (2.7, 3.6 and later): see docs/moxing.md."""
