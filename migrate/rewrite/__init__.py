"""Rewriting: from findings to edits, to the bytes of the script, and to the ledger that accounts for them."""
