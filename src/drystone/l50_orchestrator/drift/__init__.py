"""What serves, against what should: found, told, and brought back."""
