"""Where the instances of a service run: plain processes, bubblewrap sandboxes, podman containers."""
