"""Tests of the server's list of commands and its cache."""
