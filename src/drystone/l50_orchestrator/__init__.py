"""Releases of everyone's services: how they come to their users, and who may do what."""
