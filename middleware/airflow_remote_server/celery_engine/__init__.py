"""Celery workers that run commands instead of the webserver's machine."""
