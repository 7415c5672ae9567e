"""How what the platform tells looks to a person; pure functions from a value to lines."""
