"""What the orchestrator shall be like, as files in git: read, compared with what is there, and applied."""
