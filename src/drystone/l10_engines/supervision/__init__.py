"""Engines: programs of others that the platform starts, watches, adopts and stops."""
