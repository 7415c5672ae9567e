"""The five stacks of a service in one environment: what they hold, how they arise and how they differ."""
