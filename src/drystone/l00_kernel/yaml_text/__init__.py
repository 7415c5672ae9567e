"""YAML texts as trees in which every value knows its place, and mistakes that show it."""
