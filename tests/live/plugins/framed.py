"""A view of Airflow 3's own pages that frames the page: an external view with a route."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class Framed(AirflowPlugin):
    """Adds the view at ``/plugin/framed``."""

    name = "framed"
    external_views = [  # noqa: RUF012 (Airflow reads it, and nobody changes it)
        {"name": "Framed", "href": "/admin/rest_api/", "url_route": "framed", "destination": "nav"}
    ]
