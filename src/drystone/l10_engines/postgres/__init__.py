"""PostgreSQL: the server, and the databases and roles in it."""
