"""Differences between releases of Airflow that can be tested without installing them."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_remote_server.catalog.classic import classic_endpoints
from airflow_remote_server.catalog.validation import Validator
from airflow_remote_server.catalog.variants import choose_variant
from airflow_remote_server.errors import BadArguments, NotInThisAirflow
from airflow_remote_server.integrations.base import call_guarded
from airflow_remote_server.integrations.release import (
    NEWEST,
    OLDEST,
    Release,
    release_of,
    warn_of_untested_release,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_remote_server.config.settings import Settings

    Make = Callable[..., Settings]


def validate(make_settings: Make, release: Release, name: str, **arguments: Any) -> Any:
    """Return the validated values of a request.

    :param make_settings: the fixture
    :param release: the release of Airflow
    :param name: the classic endpoint
    :param arguments: the arguments of the request
    """
    endpoint = classic_endpoints(release)[name]
    variant, rest = choose_variant(endpoint, {key: [value] for key, value in arguments.items()})
    return Validator(variant, make_settings()).validate(rest)[0]


@pytest.mark.parametrize(
    ("release", "since", "name", "argument", "given"),
    [
        ((2, 7), "2.8", "variables", "description", {"set": "k", "value": "v", "description": "d"}),
        ((2, 7), "2.8", "kerberos", "one_time", {"one_time": "true"}),
        ((3, 0), "3.2", "variables", "show_values", {"show_values": "true"}),
        ((3, 1), "3.2", "connections", "show_values", {"show_values": "yes"}),
    ],
)
def test_argument_of_a_later_release_is_answered_with_501(
    make_settings: Make, release: Release, since: str, name: str, argument: str, given: dict[str, str]
) -> None:
    with pytest.raises(NotInThisAirflow) as raised:
        validate(make_settings, release, name, **given)
    assert f"'{argument}'" in raised.value.message
    assert f"since {since}" in raised.value.message
    assert f"Airflow {release[0]}.{release[1]} has no" in raised.value.message
    later = (int(since.split(".")[0]), int(since.split(".")[1]))
    assert argument in validate(make_settings, later, name, **given)


def test_flag_of_a_later_release_may_be_off(make_settings: Make) -> None:
    assert validate(make_settings, (3, 1), "variables", show_values="false") == {}


def test_bad_arguments_take_precedence_over_absent_ones(make_settings: Make) -> None:
    with pytest.raises(BadArguments, match="unknown argument 'nons"):
        validate(make_settings, (2, 7), "variables", set="k", value="v", description="d", nonsense="1")


@pytest.mark.parametrize("name", ["pause", "unpause"])
def test_pause_requests_json_where_airflow_supports_it(name: str) -> None:
    variants = {release: classic_endpoints(release)[name].variants[0] for release in ((2, 8), (2, 9), (3, 0))}
    assert [variant.fixed for variant in variants.values()] == [(), ("--output=json",), ("--output=json",)]


@pytest.mark.parametrize(
    ("version", "release"),
    [("2.7.3", (2, 7)), ("2.11.0", (2, 11)), ("3.0.6", (3, 0)), ("3.4.0.dev0", (3, 4)), ("10.1rc1", (10, 1))],
)
def test_release_of_a_version(version: str, release: Release) -> None:
    assert release_of(version) == release


def test_invalid_version_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a version"):
        release_of("main")


@pytest.mark.parametrize("release", [OLDEST, (2, 11), (3, 0), NEWEST])
def test_tested_release_logs_nothing(release: Release, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_untested_release(release)
    assert caplog.text == ""


@pytest.mark.parametrize("release", [(2, 6), (2, 12), (NEWEST[0], NEWEST[1] + 1), (4, 0)])
def test_untested_release_logs_one_warning(release: Release, caplog: pytest.LogCaptureFixture) -> None:
    warn_of_untested_release(release)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert "tested with Airflow 2.7 to 3.3" in record.getMessage()
    assert f"not with {release[0]}.{release[1]}" in record.getMessage()


def test_missing_private_name_of_airflow_returns_the_fallback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def missing() -> str:
        raise AttributeError("no such private name")

    caplog.set_level(logging.DEBUG, "airflow_remote_server")
    assert call_guarded(missing, "fallback") == "fallback"
    assert call_guarded(lambda: "value", "fallback") == "value"
    [record] = caplog.records
    assert record.levelno == logging.DEBUG
    assert "no such private name" in record.getMessage()
