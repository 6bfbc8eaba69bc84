"""Tests of running commands and following jobs."""
