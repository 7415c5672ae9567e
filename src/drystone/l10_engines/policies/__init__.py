"""Policies in Rego, judged by a process of their own that may die without harm."""
