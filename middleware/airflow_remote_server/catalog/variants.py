"""Choose the variant of an endpoint that a request means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.errors import BadArguments
from airflow_remote_server.util.flags import parse_flag
from airflow_remote_server.util.suggestions import did_you_mean

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import Endpoint, RequestArguments, Variant


def choose_variant(endpoint: Endpoint, arguments: RequestArguments) -> tuple[Variant, RequestArguments]:
    """Return the variant of an endpoint that a request means, and its remaining arguments.

    ``get=KEY``, ``get=true&key=KEY`` and ``cmd=get&key=KEY`` all choose the variant ``get``.

    :param endpoint: the endpoint
    :param arguments: the arguments of the request
    :returns: the variant, and the arguments without those that only chose it
    :raises BadArguments: if the request means several variants, or an unknown one
    """
    named = {variant.name: variant for variant in endpoint.variants if variant.name}
    if not named:
        return endpoint.variants[0], arguments
    rest = dict(arguments)
    chosen = _pop_choosing(rest, named)
    for cmd in map(str, rest.pop("cmd", [])):
        if cmd not in named:
            hint = did_you_mean(cmd, named)
            raise BadArguments(f"no such cmd: {cmd[:40]!r}; use one of {', '.join(named)}{hint}")
        chosen.setdefault(cmd, [])
    if len(chosen) > 1:
        raise BadArguments(f"{' and '.join(sorted(chosen))} cannot be combined: give only one of them")
    if not chosen:
        return endpoint.variants[0], rest
    [(name, values)] = chosen.items()
    variant = named[name]
    if variant.takes and values and not (variant.takes in rest and parse_flag(values[0]) is True):
        rest[variant.takes] = [*rest.get(variant.takes, []), *values]
    return variant, rest


def _pop_choosing(arguments: RequestArguments, named: dict[str, Variant]) -> dict[str, list[Any]]:
    """Remove the arguments that choose a variant and return them, without flags that are off.

    :param arguments: the arguments of a request, which are changed
    :param named: the variants by the argument that chooses them
    :raises BadArguments: if a flag has no valid value
    """
    chosen = {name: arguments.pop(name) for name in named if name in arguments}
    for name in [name for name in chosen if not named[name].takes]:
        values = chosen[name]
        if len(values) > 1:
            raise BadArguments(f"{name!r} is given {len(values)} times")
        state = parse_flag(values[0])
        if state is None:
            raise BadArguments(f"{name!r} is a flag: use true or false")
        if not state:
            del chosen[name]
    return chosen
