"""The resources of the HTTP API: commands, jobs, output, files, and access."""
