"""Dependency graphs whose best untangling is known because it was planted."""
