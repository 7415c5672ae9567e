"""Words that everything shares; depends on nothing in Drystone."""
