"""What proves who is who: certificates and service keys."""
