"""Durable workflows: functions whose steps are journaled in PostgreSQL, so that they outlive every process that runs them."""
