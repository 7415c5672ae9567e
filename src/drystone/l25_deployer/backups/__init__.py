"""Backups: copies of what services keep, and the proof that they can be used."""
