"""Progressive rollout: who gets the new release, what is known of it, and what follows from that.

Pure: no clock, no network, no file. Whoever drives a rollout (:mod:`~drystone.l50_orchestrator.rollout.machine`) hands in what was
seen and when, keeps the state, which is a Struct, and brings about the share that the state asks for. The same inputs give
the same state, so that a journal of the inputs is enough to come back after a crash.

The statistics are bets (:mod:`~drystone.l50_orchestrator.rollout.race`), which may be looked at as often as one likes;
docs/explanation/progressive-rollout.md tells why.
"""
