"""Drivers for what holds data: one module per resource type."""
