"""Tests of the client in its own environment, without Airflow."""
