from __future__ import annotations

import hashlib
import logging
import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from contract import TOKENS
from hypothesis import given
from hypothesis import strategies as st
from remote import TOKEN, entry, secret_of
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from airflow_remote_server.auth.authenticator import Authenticator
from airflow_remote_server.auth.tokens_parser import InvalidTokensFile, parse
from airflow_remote_server.errors import AuthenticationFailed, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_remote_server.config.settings import Settings

DIGEST = "a" * 64


def request(token: str | None, peer: str = "127.0.0.1") -> Request:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Request(EnvironBuilder("/", headers=Headers(headers)).get_environ() | {"REMOTE_ADDR": peer})


@pytest.fixture
def make_authenticator(
    make_settings: Callable[..., Settings], tokens_file: Path
) -> Callable[..., Authenticator]:
    """Return a function that makes an authenticator for the text of a tokens file."""

    def make(text: str, **changes: Any) -> Authenticator:
        tokens_file.write_text(text)
        tokens_file.chmod(0o600)
        return Authenticator(make_settings(**{"token": None, "tokens_file": tokens_file, **changes}))

    return make


def test_token_of_the_file_has_a_name_and_a_role(make_authenticator: Any) -> None:
    principal = make_authenticator(entry("ci", "viewer") + entry("other", "admin")).authenticate(
        request(secret_of("ci"))
    )
    assert (principal.name, principal.permissions.role.name) == ("ci", "viewer")
    assert secret_of("ci") not in repr(principal)


@pytest.mark.parametrize("token", [None, "", "ci", secret_of("other"), secret_of("ci")[:-1]])
def test_other_tokens_are_rejected(make_authenticator: Any, token: str | None) -> None:
    with pytest.raises(AuthenticationFailed):
        make_authenticator(entry("ci", "viewer")).authenticate(request(token))


def test_digest_is_not_accepted_as_token(make_authenticator: Any) -> None:
    with pytest.raises(AuthenticationFailed):
        make_authenticator(entry("ci", "viewer")).authenticate(
            request(hashlib.sha256(secret_of("ci").encode()).hexdigest())
        )


def test_token_of_airflow_cfg_remains_admin_beside_the_file(make_authenticator: Any) -> None:
    authenticator = make_authenticator(entry("ci", "viewer"), token=TOKEN)
    assert authenticator.authenticate(request(TOKEN)).permissions.unrestricted
    assert authenticator.authenticate(request(secret_of("ci"))).permissions.role.name == "viewer"


def test_tokens_file_disables_anonymous_access(make_authenticator: Any) -> None:
    with pytest.raises(AuthenticationFailed):
        make_authenticator("", allow_anonymous=True).authenticate(request(None))


def test_expired_token_is_rejected(make_authenticator: Any) -> None:
    authenticator = make_authenticator(entry("ci", "viewer") + "expires = 2999-01-01T00:00:00Z")
    assert authenticator.authenticate(request(secret_of("ci"))).expires is not None
    with pytest.raises(AuthenticationFailed) as caught:
        make_authenticator(entry("ci", "viewer") + "expires = 2020-01-01T00:00:00+02:00").authenticate(
            request(secret_of("ci"))
        )
    assert caught.value.message == "Token Authentication Failed", "the client is not told why"
    assert "expired" in caught.value.reason


@pytest.mark.parametrize(
    ("peer", "allowed"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("unix:", False),
    ],
)
def test_token_is_accepted_only_from_its_networks(make_authenticator: Any, peer: str, allowed: bool) -> None:
    authenticator = make_authenticator(entry("ci", "viewer") + 'networks = ["192.0.2.0/24", "2001:db8::/32"]')
    if allowed:
        assert authenticator.authenticate(request(secret_of("ci"), peer)).peer == peer
    else:
        with pytest.raises(AuthenticationFailed):
            authenticator.authenticate(request(secret_of("ci"), peer))


def test_removed_token_is_rejected_at_once(make_authenticator: Any, tokens_file: Path) -> None:
    authenticator = make_authenticator(entry("ci", "viewer") + entry("other", "admin"))
    assert authenticator.authenticate(request(secret_of("ci")))
    tokens_file.write_text(entry("other", "admin"))
    with pytest.raises(AuthenticationFailed):
        authenticator.authenticate(request(secret_of("ci")))
    assert authenticator.authenticate(request(secret_of("other")))


def test_change_with_the_same_size_and_time_is_detected(make_authenticator: Any, tokens_file: Path) -> None:
    authenticator = make_authenticator(entry("ci", "viewer"))
    assert authenticator.authenticate(request(secret_of("ci"))).permissions.role.name == "viewer"
    before = tokens_file.stat()
    tokens_file.write_text(entry("ab", "viewer"))
    os.utime(tokens_file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(AuthenticationFailed):
        authenticator.authenticate(request(secret_of("ci")))


def test_changed_role_applies_at_once(make_authenticator: Any, tokens_file: Path) -> None:
    authenticator = make_authenticator(entry("ci", "admin"))
    assert authenticator.authenticate(request(secret_of("ci"))).permissions.unrestricted
    tokens_file.write_text(entry("ci", "viewer"))
    assert not authenticator.authenticate(request(secret_of("ci"))).permissions.unrestricted


@pytest.mark.parametrize("how", ["broken", "removed", "unreadable"])
def test_invalid_file_rejects_everybody(
    make_authenticator: Any, tokens_file: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = make_authenticator(entry("ci", "admin"), token=TOKEN)
    assert authenticator.authenticate(request(secret_of("ci")))
    tokens_file.unlink()
    if how == "broken":
        tokens_file.write_text(entry("ci", "admin") + "rolle = 'x'")
    elif how == "unreadable":
        tokens_file.mkdir()  # root reads whatever may not be read
    for token in (secret_of("ci"), TOKEN, secret_of("ci")):
        with pytest.raises(Unavailable, match="webserver's log"):
            authenticator.authenticate(request(token))
    messages = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(messages) == 1, "once per change"
    assert str(tokens_file) in messages[0]
    if how == "broken":
        tokens_file.write_text(entry("ci", "admin"))
        assert authenticator.authenticate(request(secret_of("ci"))), "a corrected file is used again"


def test_health_reports_an_invalid_file_without_secrets(holder: Any, tokens_file: Path) -> None:
    remote = holder("viewer")
    assert remote("health").json == {"status": "healthy", "ready": True}
    tokens_file.write_text(entry("ci", "viewer") + f"token = '{secret_of('ci')}'")
    response = remote("health")
    assert (response.status_code, response.json["status"]) == (503, "unhealthy")
    assert "tokens_file" in response.json["reason"]
    for secret in (secret_of("ci"), hashlib.sha256(secret_of("ci").encode()).hexdigest(), str(tokens_file)):
        assert secret not in response.text
    assert remote("version").status_code == 503


@pytest.mark.parametrize(
    ("mode", "warning"), [(0o600, ""), (0o640, ""), (0o604, "read by everybody"), (0o660, "changed by other")]
)
def test_unsafe_file_mode_is_logged_once(
    make_authenticator: Any, tokens_file: Path, mode: int, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    authenticator = make_authenticator(entry("ci", "viewer"))
    tokens_file.chmod(mode)
    for _ in range(2):
        authenticator.authenticate(request(secret_of("ci")))
    assert [warning in record.message for record in caplog.records] == [True] * bool(warning)


def test_guessing_tokens_slows_down_only_the_guesser(make_client: Any) -> None:
    from airflow_remote_server.auth.rate_limit import FREE_FAILURES

    client = make_client()

    def ask(token: str, peer: str = "192.0.2.1") -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        path = "/admin/rest_api/api/v1.0/rest_api_plugin_version"
        return client.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": peer})

    assert {ask(f"guess {n}").status_code for n in range(FREE_FAILURES)} == {403}
    response = ask("another guess")
    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) >= 1
    assert ask(TOKEN).status_code == 429, "not even checked: it could be the next guess"
    assert ask("x" * 64).status_code == 429
    assert ask(TOKEN, "192.0.2.2").status_code == 200


VALID = entry("ci", "mine") + '[role.mine]\nbase = "viewer"\ncommands = ["pools *"]\n'


def test_all_keys_are_parsed() -> None:
    [token] = parse(
        (
            entry("ci", "mine")
            + 'commands = ["pools *"]\ndags = ["etl_*"]\nexpires = 2027-01-01 00:00:00Z\n'
            + 'networks = ["::/0"]\n'
            + '[role.mine]\nbase = "operator"\ncommands = ["pools *"]\ndeny = ["tasks run"]\n'
        ).encode()
    )
    role = token.permissions.role
    assert (role.name, role.reads, role.everything, role.deny) == ("mine", True, False, ("tasks run",))
    assert {"pools *", "dags trigger"} <= set(role.commands)
    assert (token.permissions.commands, token.permissions.dags) == (("pools *",), ("etl_*",))


def test_what_the_client_writes_is_understood() -> None:
    [token] = parse(TOKENS.read_bytes())
    assert token.digest == hashlib.sha256(b"a token for the contract").digest()
    assert (token.name, token.permissions.role.name) == ("ci", "operator")
    assert (token.permissions.commands, token.permissions.dags) == (
        ("dags *", "tasks clear"),
        ("etl_*", "größe"),
    )
    assert token.expires == datetime(2027, 1, 1, tzinfo=timezone.utc)
    assert token.allows("192.0.2.9")
    assert not token.allows("192.0.3.9")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("x = 1", "only [[token]]"),
        ("token = 1", "[[token]]"),
        ("[token]\nname = 'a'", "[[token]]"),
        ("[[token]]\nname = 'a'", "sha256"),
        (entry("ci", "nobody"), "role must be one of viewer, operator, admin"),
        (entry("token", "viewer"), "name must be"),
        (entry("anonymous", "viewer"), "name must be"),
        (entry("a b", "viewer"), "name must be"),
        (entry("ci", "viewer").replace('sha256 = "', 'sha256 = "0'), "64 hexadecimal"),
        (f"[[token]]\nname='a'\nrole='viewer'\nsha256='{hashlib.sha256(b'').hexdigest()}'", "64 hexadecimal"),
        (entry("ci", "viewer") + "dags = []", "at least one"),
        (entry("ci", "viewer") + "dags = 'x'", "list with at least one text"),
        (entry("ci", "viewer") + "commands = [1]", "list with at least one text"),
        (entry("ci", "viewer") + "expires = 2027-01-01", "time zone"),
        (entry("ci", "viewer") + "expires = 2027-01-01T00:00:00", "time zone"),
        (entry("ci", "viewer") + "networks = ['192.0.2.1/24']", "networks must be"),
        (entry("ci", "viewer") + "dag = ['x']", "unknown key"),
        (entry("ci", "viewer") * 2, "number 2"),
        (entry("ci", "viewer") + entry("ci", "viewer").replace('"ci"', '"cd"'), "number 2"),
        ("[role.admin]\ncommands = ['x']", "built in"),
        ("[role.mine]\nbase = 'yours'", "base must be"),
        ("[role.'my role']\nbase = 'viewer'", "name must be"),
        ("[role]\nmine = 1", "must be a table"),
        ("[[token]\n", "not valid TOML (at line 1"),
        ("x" * (1 << 20) + "\n", "larger than 1048576 bytes"),
    ],
)
def test_mistake_is_reported_with_its_place(text: str, hint: str) -> None:
    with pytest.raises(InvalidTokensFile) as caught:
        parse(text.encode())
    message = str(caught.value)
    assert hint in message
    assert "\n" not in message
    assert hashlib.sha256(secret_of("ci").encode()).hexdigest() not in message


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_arbitrary_bytes_are_parsed_or_rejected(data: bytes) -> None:
    try:
        parse(data)
    except InvalidTokensFile as error:
        assert "\n" not in str(error)


@given(st.integers(0, len(VALID)), st.integers(0, 12), st.text(st.characters(codec="utf-8"), max_size=3))
def test_damaged_file_grants_nothing(place: int, cut: int, put: str) -> None:
    try:
        tokens = parse((VALID[:place] + put + VALID[place + cut :]).encode())
    except InvalidTokensFile as error:
        assert len(str(error)) < 300
    else:
        assert all(not token.permissions.unrestricted for token in tokens)
