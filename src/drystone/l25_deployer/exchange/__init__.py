"""Descriptors from what other platforms read, and what other platforms read from descriptors. Pure: no files, no network.

Coming and going are two halves of one promise: who leaves can take everything along but the data, which has commands of its own.
What has no counterpart on the other side is never dropped in silence: it is told, with its line.
"""
