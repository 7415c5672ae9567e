"""Object storage by the S3 protocol: the server, and the buckets in it."""
