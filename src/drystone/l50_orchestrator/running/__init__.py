"""The orchestrator as a process of a home: whether it is wanted, and where it answers."""
