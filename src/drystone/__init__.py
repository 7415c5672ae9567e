"""Drystone: a cloud platform that can always be rebuilt from the ground."""

__version__ = "0.1.0"
