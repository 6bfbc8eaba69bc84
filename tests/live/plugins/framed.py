"""Show the REST API's page inside Airflow 3's own pages: an external view with a route."""

from __future__ import annotations

from airflow.plugins_manager import AirflowPlugin


class Framed(AirflowPlugin):  # type: ignore[misc]
    """Add the view at ``/plugin/framed``."""

    name = "framed"
    external_views = [  # noqa: RUF012 (Airflow only reads it)
        {"name": "Framed", "href": "/admin/rest_api/", "url_route": "framed", "destination": "nav"}
    ]
