"""Decide whether a request belongs to the API, and split its path at the prefix."""

from __future__ import annotations

PREFIX = "/admin/rest_api"


def split_path(script_name: str, path_info: str, base_path: str = "") -> tuple[str, str] | None:
    """Split a request's path at the API's prefix.

    The prefix may lie on either side of the border between SCRIPT_NAME and PATH_INFO, or across it. Outside
    Airflow's own dispatcher, PATH_INFO still holds the base path; inside, SCRIPT_NAME does. A front server
    may have moved the border as well (gunicorn's SCRIPT_NAME header). So both are first joined into one path.

    :param script_name: SCRIPT_NAME of the WSGI environ (PEP 3333)
    :param path_info: PATH_INFO of the WSGI environ
    :param base_path: the path of Airflow's ``base_url``, without a trailing slash; "" for none
    :returns: SCRIPT_NAME and PATH_INFO as the API sees them, or None for a path outside the API
    """
    joined = script_name + path_info
    for lead in {base_path: None, "": None}:
        for outer, path in (("", joined), (script_name, path_info)):
            head = lead + PREFIX
            if path.startswith(head) and path[len(head) : len(head) + 1] in ("", "/"):
                return outer + head, path[len(head) :]
    return None
