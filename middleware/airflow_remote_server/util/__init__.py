"""Helpers that know nothing about HTTP or Airflow: files, locks, processes, JSON, masking."""
