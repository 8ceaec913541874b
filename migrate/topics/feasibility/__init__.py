"""Feasibility: whether a job, as it will be after the migration, can run on the target."""
