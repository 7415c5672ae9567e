"""Simulated rollouts: how often what decides is wrong, and what it costs until it is right, beside other judges."""
