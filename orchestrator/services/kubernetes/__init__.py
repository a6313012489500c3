"""Services on a cluster: a Deployment whose pods hold all versions in force, and what belongs to it."""
