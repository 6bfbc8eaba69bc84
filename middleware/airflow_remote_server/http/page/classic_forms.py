"""Describe the classic endpoints for the page's forms; false and empty values are left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_remote_server.catalog.export import is_positional, taken_arguments
from airflow_remote_server.catalog.spec import Kind

if TYPE_CHECKING:
    from airflow_remote_server.catalog.spec import Argument, Endpoint, Variant


def describe(endpoint: Endpoint) -> dict[str, Any]:
    """Return the ``name``, ``help``, ``absent`` and ``variants`` of an endpoint.

    :param endpoint: the endpoint
    """
    several = any(variant.name for variant in endpoint.variants)
    return _without_empty(
        name=endpoint.name,
        help=endpoint.summary,
        absent=endpoint.absent,
        variants=[_describe_variant(variant, several) for variant in endpoint.variants],
    )


def _describe_variant(variant: Variant, several: bool) -> dict[str, Any]:
    return _without_empty(
        name=variant.name,
        takes=taken_arguments(variant),
        command=" ".join((variant.program, *variant.command)) if variant.command else "",
        read_only=variant.read_only,
        service=variant.service,
        arguments=[
            _describe_argument(argument, several) for argument in variant.arguments if not argument.ignored
        ],
    )


def _describe_argument(argument: Argument, several: bool) -> dict[str, Any]:
    return _without_empty(
        name=argument.name,
        kind="" if argument.kind is Kind.TEXT else argument.kind.value,
        help="" if argument.unusable else argument.help,
        required=argument.required,
        choices=list(argument.choices),
        repeatable=argument.repeatable,
        secret=argument.secret,
        refused=argument.unusable,
        positional=is_positional(argument, several),
    )


def _without_empty(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}
