"""Traffic migration: a service moves to another address, and back."""
