"""How what is found in a dependency model looks to a person."""
