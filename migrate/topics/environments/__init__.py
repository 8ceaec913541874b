"""Environments: the software in which a job's programs run, and what serves it on the target."""
