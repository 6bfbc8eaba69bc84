"""Find the secret values in the arguments and files of a request, so that they can be masked in its output.

Whatever a response hides as an argument counts, and the secrets inside other arguments: what URLs have before
``@``, and the values of sensitive names in JSON, in URLs, and in the files that ``import`` commands read.
"""

from __future__ import annotations

import importlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from airflow_remote_server.util.masking import USERINFO, is_sensitive, query_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_remote_server.catalog.argv import Value
    from airflow_remote_server.catalog.spec import Variant

PARTLY_SECRET = frozenset({"conn_json"})
"""Secret arguments with JSON of which only some values are secret: the others may be seen in output."""

EXTRAS = frozenset({"extra", "__extra__"})
"""Names of a connection's further fields, which are hidden as a whole as an argument."""

MAX_YAML_BYTES = 1 << 20
"""The maximum size of a file to parse as YAML, which takes about a second for each megabyte."""

LINE = re.compile(r"""^[\s-]*["']?([\w.-]+)["']?\s*[:=]\s*(.*)$""", re.MULTILINE)
"""A name and its value in a line of an .env file, or of a YAML file that cannot be parsed."""

SEPARATORS = re.compile(r"[:@/?#&=]")


def secret_values(variant: Variant, values: Mapping[str, Value], names: frozenset[str]) -> set[str]:
    """Return the secrets in the arguments of a command.

    :param variant: the command
    :param values: the values by argument name
    :param names: parts of names whose values are secret
    """
    secrets: set[str] = set()
    for argument in variant.arguments:
        value = values.get(argument.name)
        texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
        for text in texts:
            if not argument.secret:
                secrets.update(find_secrets(text, names))
                continue
            secrets.add(text)
            secrets.update(find_secrets(text, names, secret=argument.name not in PARTLY_SECRET))
            if "://" in text:
                secrets.update(_uri_secrets(text, names))
            elif argument.name == "basic_auth":  # NAME:PASSWORD,NAME:PASSWORD
                secrets.update(pair.partition(":")[2] for pair in text.split(","))
    return secrets


def file_secrets(filename: str, content: bytes, names: frozenset[str]) -> set[str]:
    """Return the secrets in a file that a command imports: JSON, YAML, or lines of names and values.

    :param filename: the name that the client gave it
    :param content: its content
    :param names: parts of names whose values are secret
    """
    text = content.decode("utf-8", "replace")
    document = _parse(filename, text)
    if document is not None:
        return set(find_secrets(document, names))
    pairs = {name: value.strip().strip("\"'") for name, value in LINE.findall(text)}
    return set(find_secrets(pairs, names)) | set(_url_secrets(text, names))


def _parse(filename: str, text: str) -> Any:
    """Return the document in a file; None if it is neither JSON nor YAML."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if not filename.lower().endswith((".yaml", ".yml")) or len(text) > MAX_YAML_BYTES:
        return None
    try:
        yaml = importlib.import_module("yaml")  # Airflow requires it
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except Exception:  # noqa: BLE001 - the command will report what is wrong with the file
        return None


def find_secrets(value: Any, names: frozenset[str], secret: bool = False) -> Iterator[str]:
    """Yield the secrets in a value, and in the JSON and the URLs that it contains at any depth.

    :param value: a text, or a document of JSON or YAML
    :param names: parts of names whose values are secret
    :param secret: whether every text in it is secret
    """
    waiting: list[tuple[Any, bool]] = [(value, secret)]
    seen: dict[tuple[int, bool], Any] = {}  # YAML can repeat a part of a document by reference
    while waiting:
        item, hidden = waiting.pop()
        if isinstance(item, (dict, list)):
            if (id(item), hidden) not in seen:
                seen[id(item), hidden] = item
                waiting += _members(item, hidden, names)
        elif isinstance(item, str):
            waiting.append((_parse_container(item), hidden))
            if hidden:
                yield item
            yield from _url_secrets(item, names)
        elif hidden and isinstance(item, (int, float)) and not isinstance(item, bool):
            yield str(item)


def _members(container: Any, secret: bool, names: frozenset[str]) -> list[tuple[Any, bool]]:
    """Return the values in an object or a list, each with whether every text in it is secret."""
    if isinstance(container, list):
        return [(item, secret) for item in container]
    lowered = [(str(name).lower(), item) for name, item in container.items()]
    return [(item, secret or name in EXTRAS or is_sensitive(name, names)) for name, item in lowered]


def _parse_container(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _url_secrets(text: str, names: frozenset[str]) -> Iterator[str]:
    """Yield the passwords and the sensitive parameters of the URLs in a text."""
    if "://" not in text:
        return
    for userinfo in USERINFO.findall(text):
        user, _, password = userinfo.partition(":")
        yield password or user
    for name, value in query_parameters(text):
        if is_sensitive(name, names):
            yield value


def _uri_secrets(uri: str, names: frozenset[str]) -> Iterator[str]:
    """Yield the secrets of a connection's URI, which may be invalid: a message may name any part of it."""
    rest = uri.partition("://")[2]
    before, at, _ = rest.rpartition("@")
    if at:
        password = before.partition(":")[2] or before
        yield password
        yield from SEPARATORS.split(password)
    for _, value in parse_qsl(rest.partition("?")[2], max_num_fields=None):
        yield from find_secrets(value, names, secret=True)
