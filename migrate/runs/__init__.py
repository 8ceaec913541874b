"""Runs: what each command of the command line does."""
