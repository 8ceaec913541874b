"""Hygiene: what keeps any script from running, wherever it comes from."""
