"""Decide whether a request belongs to the API, and find the canonical spelling of its path."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

PREFIX = "/admin/rest_api"

MARK = "rest_api"
"""Part of every spelling of the prefix. A path without it belongs to Airflow."""

PATH_SAFE = "/!$&'()*+,;=:@~"
"""The characters of a path that need no percent-encoding, besides letters, digits, and ``_.-`` (RFC 3986)."""


@dataclass(frozen=True)
class ApiPath:
    """The path of a request to the API, split at the prefix.

    :param script_name: the path up to the end of the prefix (SCRIPT_NAME, PEP 3333)
    :param path_info: the path below the prefix (PATH_INFO)
    :param canonical: whether the request spells its path this way
    """

    script_name: str
    path_info: str
    canonical: bool = True

    def location(self, query: str = "") -> str:
        """Return a Location header (RFC 9110) for this path on the same host.

        It begins with exactly one slash: with two, a browser takes what follows for a host.

        :param query: the query of the request, percent-encoded
        """
        path = normalize_path(self.script_name + (self.path_info or "/"))
        encoded = quote(path.encode("latin-1", "replace"), safe=PATH_SAFE)
        return encoded + (f"?{query}" if query else "")


def find_api(script_name: str, path_info: str, base_path: str = "") -> ApiPath | None:
    """Find the API's prefix in the path of a request, in any spelling.

    Clients and proxies that join URLs may double a slash (``//admin/rest_api``) or leave dot segments in the
    path. Servers decode percent-encoded characters before this. Airflow must never see such a path: Airflow 3
    answers unknown paths with its page and the status 200.

    :param script_name: SCRIPT_NAME of the WSGI environ (PEP 3333)
    :param path_info: PATH_INFO of the WSGI environ
    :param base_path: the path of Airflow's ``base_url``, without a trailing slash; "" for none
    :returns: the split path, or None for a path outside the API
    """
    split = split_path(script_name, path_info, base_path)
    if split is not None and normalize_path(split[1]) == split[1]:
        return ApiPath(*split)
    outer, inner = normalize_path(script_name).rstrip("/"), normalize_path(path_info)
    normal = split_path(outer, inner, base_path) or split_path(
        "", normalize_path(script_name + path_info), base_path
    )
    if normal is not None:
        return ApiPath(*normal, canonical=False)
    # Dot segments lead from the prefix to a path outside it. Airflow does not get that either.
    return None if split is None else ApiPath(*split)


def normalize_path(path: str) -> str:
    """Remove empty segments and dot segments from a path (RFC 3986, section 5.2.4).

    :param path: the path, decoded; "" stays ""
    """
    if not path:
        return path
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment not in ("", "."):
            kept.append(segment)
    end = "/" if kept and segments[-1] in ("", ".", "..") else ""
    return "/" + "/".join(kept) + end


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
