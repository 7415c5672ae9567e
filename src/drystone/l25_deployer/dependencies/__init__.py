"""What services need of each other, and what a deploy does to that. Pure."""
