"""Where processes run: one package per backend, behind `base`."""
