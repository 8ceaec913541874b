"""Old schedulers: what stands under Slurm for the lines, variables and commands of other schedulers."""
