"""The local driver: stacks become processes, containers, databases and routes of this machine."""
