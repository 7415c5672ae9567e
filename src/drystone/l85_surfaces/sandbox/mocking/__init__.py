"""The program that stands in for a service: it answers what an OpenAPI document promises.

It runs as an ordinary instance, in a folder to which its modules are copied, so that it rests on the standard library alone.
"""
