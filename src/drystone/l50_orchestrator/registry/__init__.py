"""Who owns which service, and where services may run."""
