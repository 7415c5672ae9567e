"""Pictures as SVG, made on the server."""
