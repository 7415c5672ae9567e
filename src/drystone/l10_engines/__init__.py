"""Ports and drivers to outside engines."""
