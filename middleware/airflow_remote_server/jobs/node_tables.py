"""The columns of the tables that the nodes of a shared job store use; ``migrations`` creates them."""

from __future__ import annotations

from sqlalchemy import column, table

PIECES = table(
    "airflow_remote_piece",
    *[column(name) for name in ("job", "seq", "name", "position", "size", "whole", "data")],
)
"""Pieces of the files of spools."""

IN_OBJECT = 2
"""Is added to ``whole`` of a piece if its content is an object, and ``data`` its SHA-256."""

NODES = table("airflow_remote_node", *[column(name) for name in ("id", "host", "beat", "version")])
"""The nodes, each with a number that it increases while it is alive."""

OFFERS = table("airflow_remote_offer", *[column(name) for name in ("job", "node", "data")])
"""Queued commands that another node may take over if their node dies, encrypted."""

STOPS = table("airflow_remote_stop", *[column(name) for name in ("job", "node", "forced", "grace")])
"""Requests to stop jobs of other nodes."""
