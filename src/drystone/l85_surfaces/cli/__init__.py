"""The command line: `drystone`."""
