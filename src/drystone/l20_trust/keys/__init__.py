"""Service keys: by which a service proves to another who it is (ASAP)."""
