"""The embedded provider of identities (OpenID Connect): for a first run and for tests, until another one is set."""
