"""What a training script measures: read from its log, its files and its calls; kept as one small table per version."""
