"""Webservers that share a job store: each of them is a node, and can read and stop the jobs of all."""
