"""Jobs as processes of this machine: a detached supervisor per job, a guard around each script."""
