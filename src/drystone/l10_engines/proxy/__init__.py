"""Envoy: the proxy in front of every service, configured over gRPC and able to run on without us."""
