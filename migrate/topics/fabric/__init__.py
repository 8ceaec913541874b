"""Fabric: settings of a job's network."""
