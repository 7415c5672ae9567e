"""The deployer: one descriptor in, one running service out, with nothing above its layer."""
