"""Launchers: what starts a job's processes, and the lines of srun that may stand for it."""
