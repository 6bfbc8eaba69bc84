"""Batches: many commands that one job runs."""
