"""Jobs: commands of a service that run to their end when somebody asks for it."""
