"""The ``airflow-remote`` program."""
