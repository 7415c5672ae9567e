"""Platform services that run only while somebody uses them, on a socket that the agent keeps open."""
