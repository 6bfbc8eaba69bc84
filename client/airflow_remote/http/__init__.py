"""HTTP requests: sessions, retries, request bodies, and event streams."""
