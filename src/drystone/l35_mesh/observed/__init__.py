"""What the proxies saw: calls, refusals, numbers and traces."""
