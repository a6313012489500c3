"""What runs beside a training script: fetch its inputs, build its command, save logs and outputs."""
