"""The sidecar: what stands before each service and beside each caller, as configuration of Envoy."""
