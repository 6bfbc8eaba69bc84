"""The HTTP API: routing, request parsing, responses, the page and the OpenAPI document."""
