"""Every supported release of Airflow, and the installations that people have."""
