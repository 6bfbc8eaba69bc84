"""Authenticate requests, and decide what their principals may run. This package makes no HTTP responses."""
