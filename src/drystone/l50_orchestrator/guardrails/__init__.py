"""What may be deployed: policies over plans, named exceptions from them, and times in which nothing changes."""
