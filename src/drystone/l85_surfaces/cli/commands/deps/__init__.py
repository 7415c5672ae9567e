"""The commands of ``drystone deps``."""
