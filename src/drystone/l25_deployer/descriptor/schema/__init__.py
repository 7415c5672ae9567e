"""The blocks of a descriptor, version 1."""
