"""Wiring: the only layer that constructs services."""
