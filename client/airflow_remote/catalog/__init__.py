"""The commands that a server offers, parsed and cached."""
