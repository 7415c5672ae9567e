"""Queues, topics, tables, streams and keys by the protocols of AWS, kept on this machine."""
