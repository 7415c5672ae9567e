"""The pages: each a pure function from a view to a page."""
