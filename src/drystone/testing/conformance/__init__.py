"""Suites that every driver of a port passes, whoever wrote it."""
