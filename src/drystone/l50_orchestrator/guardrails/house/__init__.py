"""The house policies: a Rego text and a page of words each, with the cases that it was tried on."""
