"""Identify the principal of a request, or reject the request. This module knows nothing about commands."""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_remote_server.auth.local_requests import remote_reason
from airflow_remote_server.auth.permissions import UNRESTRICTED, Permissions
from airflow_remote_server.auth.rate_limit import UNGUESSABLE, FailureThrottle
from airflow_remote_server.auth.tokens import TokensFile, find_token
from airflow_remote_server.auth.tokens_parser import InvalidTokensFile
from airflow_remote_server.errors import AuthenticationFailed, Refused, Unavailable
from airflow_remote_server.integrations.gunicorn_header import hint

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from airflow_remote_server.config.settings import Settings

log = logging.getLogger(__name__)

TOKEN_HEADER = "HTTP_REST_API_PLUGIN_HTTP_TOKEN"  # noqa: S105 - a name
"""The environ key of both ``rest_api_plugin_http_token`` and its hyphenated form."""

HINT = "Airflow-Remote-Hint"
"""The response header that says why a token may not have arrived; the 2016 plugin defines the body."""

SETUP_HINT = "set [webserver] rest_api_plugin_expected_http_token in airflow.cfg and restart the webserver"


@dataclass(frozen=True)
class Principal:
    """The user or machine that a request acts for.

    :param name: its name, for logs and responses
    :param peer: the address that the request came from
    :param permissions: what it may do
    :param expires: when its token expires; None if it never does
    :param key: a secret key for digests, different for each principal
    :param trusted: whether the request has a token, or comes from this machine
    :param forgeable: whether a web page of another site can send requests in its name: it has no token
    """

    name: str
    peer: str
    permissions: Permissions = UNRESTRICTED
    expires: datetime | None = None
    key: bytes = field(default=b"", repr=False)
    trusted: bool = True
    forgeable: bool = False


class Authenticator:
    """Identifies the principal of a request.

    :param settings: the configured token or tokens file, or the rules that apply without them
    :param throttle: slows down addresses that send wrong tokens
    """

    def __init__(self, settings: Settings, throttle: FailureThrottle | None = None) -> None:
        self.token = None if settings.token is None else settings.token.encode()
        self.digest = None if self.token is None else hashlib.sha256(self.token).digest()
        self.tokens = None if settings.tokens_file is None else TokensFile(settings.tokens_file)
        self.allow_anonymous = settings.allow_anonymous
        self.throttle = throttle or FailureThrottle()
        if self.open and self.allow_anonymous:
            log.warning("The REST API is open to everybody: [rest_api_plugin] allow_anonymous is set")

    @property
    def open(self) -> bool:
        """Return whether no token is required."""
        return self.token is None and self.tokens is None

    @property
    def problem(self) -> str:
        """Return why every request is rejected now, for the public health check; "" if none is."""
        try:
            if self.tokens is not None:
                self.tokens.read()
        except InvalidTokensFile as error:
            return f"[rest_api_plugin] tokens_file: {error}"
        return ""

    def authenticate(self, request: Request) -> Principal:
        """Return the principal of a request.

        :param request: the request; its body is not read
        :raises AuthenticationFailed: if tokens are configured and the request has no valid one
        :raises Busy: if too many wrong tokens came from its address
        :raises Refused: if no tokens are configured and the request is not from this machine
        :raises Unavailable: if the tokens file cannot be used
        """
        peer = request.remote_addr or ""
        if not self.open:
            presented = _token_of(request)
            try:
                return self._throttle_and_identify(presented, peer)
            except AuthenticationFailed as error:
                dropped = "" if presented else hint(request.environ)
                if dropped:
                    raise AuthenticationFailed(f"{error.reason}: {dropped}", {HINT: dropped}) from None
                raise
        self._refuse_cross_site(request)
        reason = remote_reason(request.environ, peer)
        if reason and not self.allow_anonymous:
            raise Refused(f"Refused: without a token the REST API {reason}; {SETUP_HINT}", layer="peer")
        return Principal("anonymous", peer, trusted=not reason, forgeable=True)

    def _throttle_and_identify(self, presented: bytes, peer: str) -> Principal:
        """Return the principal of a token, and slow down addresses that send wrong ones.

        :param presented: the token in the request; b"" if there is none
        :param peer: the address that the request came from
        :raises AuthenticationFailed: if the token is not valid
        :raises Busy: if too many wrong tokens came from the address
        :raises Unavailable: if the tokens file cannot be used
        """
        refusal = self.throttle.refusal_for(peer)
        if refusal is not None and len(presented) < UNGUESSABLE:
            raise refusal
        try:
            principal = self._identify(presented, peer)
        except AuthenticationFailed:
            if refusal is not None:
                raise refusal from None
            if presented:  # a request without a token is not a guess
                self.throttle.record_failure(peer)
            raise
        self.throttle.record_success(peer)
        return principal

    def _identify(self, presented: bytes, peer: str) -> Principal:
        """Return the principal of a token, without regard to earlier failures.

        :param presented: the token in the request; b"" if there is none
        :param peer: the address that the request came from
        :raises AuthenticationFailed: if the token is not valid
        :raises Unavailable: if the tokens file cannot be used
        """
        try:
            tokens = () if self.tokens is None else self.tokens.read()
        except InvalidTokensFile:
            raise Unavailable("The tokens file cannot be used; the webserver's log says why") from None
        digest = hashlib.sha256(presented).digest()
        token = find_token(tokens, digest)
        if self.digest is not None and hmac.compare_digest(self.digest, digest):
            return Principal("token", peer, key=self.token or b"")
        if token is None:
            raise AuthenticationFailed("no such token" if presented else "no token")
        if token.expires is not None and token.expires <= datetime.now(timezone.utc):
            raise AuthenticationFailed(f"the token {token.name} has expired")
        if not token.allows(peer):
            raise AuthenticationFailed(f"the token {token.name} may not be used from this network")
        return Principal(token.name, peer, token.permissions, token.expires, token.digest)

    @staticmethod
    def _refuse_cross_site(request: Request) -> None:
        """Refuse cross-site requests: without a token, nothing else prevents CSRF.

        :raises Refused: if the request is cross-site
        """
        environ = request.environ
        site = environ.get("HTTP_SEC_FETCH_SITE", "none")
        origins = [environ[header] for header in ("HTTP_ORIGIN", "HTTP_REFERER") if header in environ]
        foreign = any(_netloc(origin) != environ.get("HTTP_HOST", "") for origin in origins)
        if site not in ("none", "same-origin") or foreign:
            raise Refused(
                f"Refused: a request from another site needs a token, and none is configured: {SETUP_HINT}",
                layer="site",
            )


def _token_of(request: Request) -> bytes:
    """Return the token of a request; b"" if there is none.

    WSGI decodes headers as Latin-1 (PEP 3333), so the text stands for bytes. Only the white space of HTTP is
    removed (RFC 9110, section 5.5): the byte A0, a no-break space in Latin-1, may end a UTF-8 token.
    """
    value = request.environ.get(TOKEN_HEADER)
    if value is None:
        scheme, _, rest = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        value = rest if scheme.lower() == "bearer" else ""
    return str(value).strip(" \t").encode("latin-1", "replace")


def _netloc(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None
