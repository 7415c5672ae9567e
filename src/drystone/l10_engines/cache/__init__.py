"""Caches by the Redis protocol: one server process for each cache that a service asks for."""
