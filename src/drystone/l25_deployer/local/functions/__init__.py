"""Functions: code of a service that runs while it is called, in processes of its own."""
