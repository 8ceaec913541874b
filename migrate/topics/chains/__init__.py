"""Chains: what is to be said of scripts that call each other."""
