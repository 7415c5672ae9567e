"""The audit log: who did what, append-only, each entry bound to the one before."""
