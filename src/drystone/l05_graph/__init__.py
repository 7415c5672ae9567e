"""The dependency model, and what can be computed from it.

Pure functions without a network, a database or the clock: what is said here must be sayable in an outage. An arrow
``u → v`` always means that u depends on v.

Two views of the same thing: a :class:`~drystone.l05_graph.model.Model` is what people wrote or traffic showed, with names and
meaning; a :class:`~drystone.l05_graph.arrays.Graph` is the numbers of it, on which the analyses work. What a deploy asks of
a few hundred services works on the model alone, so that the agent never loads numpy.
"""
