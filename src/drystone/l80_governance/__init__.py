"""What helps people to keep an overview of everything that runs."""
