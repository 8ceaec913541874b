"""Containers: what stands for container commands of every tool under the target's, and facts about them."""
