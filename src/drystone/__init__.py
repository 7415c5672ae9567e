"""Drystone: a cloud platform that can always be rebuilt from the ground."""
