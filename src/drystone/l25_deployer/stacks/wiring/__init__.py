"""How each type of resource becomes part of a stack, and what a service gets of it."""
