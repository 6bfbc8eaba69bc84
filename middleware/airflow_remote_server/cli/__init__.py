"""The program ``airflow-remote-server``: what an operator does on the machine of a webserver."""
