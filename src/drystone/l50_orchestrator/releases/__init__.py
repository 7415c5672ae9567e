"""Releases: every deploy is written down, survives whoever carries it out, and has a way back."""
