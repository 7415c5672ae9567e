"""The page people work on: what runs, how releases go, and what to do about it; made on the server."""
