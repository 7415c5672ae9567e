"""Networks without a way out, one for each service and environment."""
