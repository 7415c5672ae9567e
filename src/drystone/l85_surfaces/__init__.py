"""What people and machines use to reach the platform."""
