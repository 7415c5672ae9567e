"""People, teams, roles and tokens, and the one place that decides who may do what."""
