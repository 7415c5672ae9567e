"""The view of the dependency model: pages that are made on the server and work without scripts."""
