"""Decisions: what is asked once for all scripts, who waits, which answers are proposed, and in which order to ask."""
