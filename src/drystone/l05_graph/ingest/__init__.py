"""Readers of what others wrote: declarations that become models, and observations that become evidence."""
