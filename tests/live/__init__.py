"""Tests on real webservers: what a user of either version of Airflow meets."""
