"""How models and scenarios are written down: the survey that people keep in git, and what is read from elsewhere."""
