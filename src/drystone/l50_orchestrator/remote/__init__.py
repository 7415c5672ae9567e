"""The orchestrator for those who come over a network: by tokens alone, and with nothing that names a file of this machine."""
