"""Kill anything at any moment, and look whether everything that was promised still holds.

The parts, each of which can be used alone:

* :mod:`~drystone.testing.faults.schedule` draws what will happen from one seed;
* :mod:`~drystone.testing.faults.victims` knows who may be struck and how to find them;
* :mod:`~drystone.testing.faults.commands` carries out operations by the command line and strikes at their steps;
* :mod:`~drystone.testing.faults.traffic` sends requests, each of which writes something; the
  :mod:`~drystone.testing.faults.ledger` remembers what was acknowledged;
* :mod:`~drystone.testing.faults.expectation` knows what may serve after what the commands told;
* :mod:`~drystone.testing.faults.invariants` and :mod:`~drystone.testing.faults.leftovers` say what must hold at rest;
* :mod:`~drystone.testing.faults.drill` puts them together; ``python -m drystone.testing.faults`` runs it.
"""
