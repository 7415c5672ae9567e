"""What tests and benchmarks of Drystone, and of services on it, build on."""
