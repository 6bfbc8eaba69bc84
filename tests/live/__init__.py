"""Tests on real webservers of both versions of Airflow."""
