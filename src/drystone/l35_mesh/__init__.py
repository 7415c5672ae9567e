"""What stands between services: who may call whom, how often, and from where to where calls go."""
