"""Platforms whose services may prove here who they are."""
