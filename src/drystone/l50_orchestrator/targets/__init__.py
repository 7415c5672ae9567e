"""Where releases run: drivers of the port :class:`~drystone.l50_orchestrator.target.Target`."""
