"""Other programs that do a part of what Drystone does, measured beside it.

None of them is needed to use or to change Drystone. ``python -m benchmarks.peers.install`` installs those that can
be had; the tables say "not installed" of the others.
"""
