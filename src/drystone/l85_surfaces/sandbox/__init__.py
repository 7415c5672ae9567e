"""The sandbox: the services of a workspace on a developer's machine, and what they need, real or stood in for."""
