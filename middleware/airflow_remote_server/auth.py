"""Who is asking: a request to a principal, or a refusal. Knows nothing of commands."""

from __future__ import annotations

import hashlib
import hmac
import logging
from dataclasses import dataclass, field
from datetime import datetime, timezone
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_remote_server.errors import AuthenticationFailed, Refused, Unavailable
from airflow_remote_server.limits import UNGUESSABLE, Failures
from airflow_remote_server.roles import ALL, Permit
from airflow_remote_server.tokens import TokensFile, find
from airflow_remote_server.tokens_text import BrokenTokens

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from airflow_remote_server.settings import Settings

log = logging.getLogger(__name__)

TOKEN_HEADER = "HTTP_REST_API_PLUGIN_HTTP_TOKEN"  # noqa: S105 - a name
"""In the environ: both ``rest_api_plugin_http_token`` and its hyphenated form become this name."""

FORWARDING_HEADERS = (
    "HTTP_CF_CONNECTING_IP",
    "HTTP_CLIENT_IP",
    "HTTP_FASTLY_CLIENT_IP",
    "HTTP_FORWARDED",
    "HTTP_TRUE_CLIENT_IP",
    "HTTP_VIA",
    "HTTP_X_CLIENT_IP",
    "HTTP_X_CLUSTER_CLIENT_IP",
    "HTTP_X_ENVOY_",
    "HTTP_X_FORWARDED",
    "HTTP_X_ORIGINAL_",
    "HTTP_X_REAL_IP",
)
"""How the names of headers begin that a proxy adds: the peer is on loopback, the client need not be."""

HOW_TO_OPEN = "set [webserver] rest_api_plugin_expected_http_token in airflow.cfg and restart the webserver"


@dataclass(frozen=True)
class Principal:
    """Who a request acts for.

    :param name: for logs and answers
    :param peer: the address it came from
    :param permit: what it may do
    :param expires: when its token does; None for never
    :param key: a secret of its own, to key digests with
    :param known: it bears a token, or comes from this machine
    """

    name: str
    peer: str
    permit: Permit = ALL
    expires: datetime | None = None
    key: bytes = field(default=b"", repr=False)
    known: bool = True


class Authenticator:
    """Decide who a request acts for.

    :param settings: the token, the tokens file, or the rules without either
    :param failures: of the peers
    """

    def __init__(self, settings: Settings, failures: Failures | None = None) -> None:
        self.token = None if settings.token is None else settings.token.encode()
        self.digest = None if self.token is None else hashlib.sha256(self.token).digest()
        self.tokens = None if settings.tokens_file is None else TokensFile(settings.tokens_file)
        self.allow_anonymous = settings.allow_anonymous
        self.failures = failures or Failures()
        if self.open and self.allow_anonymous:
            log.warning("The REST API is open to everybody: [rest_api_plugin] allow_anonymous is on")

    @property
    def open(self) -> bool:
        """Whether no token is needed."""
        return self.token is None and self.tokens is None

    @property
    def problem(self) -> str:
        """Why nobody gets in at present, for anybody to know; "" when that is not so."""
        try:
            if self.tokens is not None:
                self.tokens()
        except BrokenTokens as error:
            return f"[rest_api_plugin] tokens_file: {error}"
        return ""

    def __call__(self, request: Request) -> Principal:
        """Authenticate.

        :param request: the request, whose body is not read
        :raises AuthenticationFailed: when there are tokens and the request carries none that may come in
        :raises Busy: when too many wrong ones came from its peer
        :raises Refused: when there are none and the request is not from this machine
        :raises Unavailable: when the tokens cannot be read
        """
        peer = request.remote_addr or ""
        if not self.open:
            return self.holder(_presented(request), peer)
        self.refuse_other_sites(request)
        elsewhere = self.elsewhere(request, peer)
        if elsewhere and not self.allow_anonymous:
            raise Refused(f"Refused: without a token the REST API {elsewhere}; {HOW_TO_OPEN}", layer="peer")
        return Principal("anonymous", peer, known=not elsewhere)

    def holder(self, presented: bytes, peer: str) -> Principal:
        """Whose a token is; the parameters and what is raised as above."""
        waiting = self.failures.waiting(peer)
        if waiting is not None and len(presented) < UNGUESSABLE:
            raise waiting
        try:
            principal = self.identify(presented, peer)
        except AuthenticationFailed:
            if waiting is not None:
                raise waiting from None
            if presented:  # who sends none does not try any
                self.failures.add(peer)
            raise
        self.failures.forgive(peer)
        return principal

    def identify(self, presented: bytes, peer: str) -> Principal:
        """Whose a token is, whatever came before.

        :param presented: the token; b"" for none
        :param peer: the address that it came from
        :raises AuthenticationFailed: when it may not come in
        :raises Unavailable: when the tokens cannot be read
        """
        try:
            tokens = () if self.tokens is None else self.tokens()
        except BrokenTokens:
            raise Unavailable("The tokens file cannot be used; the webserver's log says why") from None
        digest = hashlib.sha256(presented).digest()
        token = find(tokens, digest)
        if self.digest is not None and hmac.compare_digest(self.digest, digest):
            return Principal("token", peer, key=self.token or b"")
        if token is None:
            raise AuthenticationFailed("no such token" if presented else "no token")
        if token.expires is not None and token.expires <= datetime.now(timezone.utc):
            raise AuthenticationFailed(f"the token {token.name} has expired")
        if not token.comes_from(peer):
            raise AuthenticationFailed(f"the token {token.name} may not come from there")
        return Principal(token.name, peer, token.permit, token.expires, token.digest)

    @staticmethod
    def refuse_other_sites(request: Request) -> None:
        """Without a token nothing else keeps a web page from using its visitor's browser (CSRF)."""
        environ = request.environ
        site = environ.get("HTTP_SEC_FETCH_SITE", "none")
        origins = [environ[header] for header in ("HTTP_ORIGIN", "HTTP_REFERER") if header in environ]
        foreign = any(_netloc(origin) != environ.get("HTTP_HOST", "") for origin in origins)
        if site not in ("none", "same-origin") or foreign:
            raise Refused(
                f"Refused by the cross-site check, since no token is configured: {HOW_TO_OPEN}", layer="site"
            )

    @staticmethod
    def elsewhere(request: Request, peer: str) -> str:
        """Why a request is not taken for one of this machine's; "" when it is.

        Such a request is a loopback peer's for a loopback host, not through a proxy.
        """
        environ = request.environ
        if not _is_loopback(peer):
            return "is open to this machine only"
        if any(header.startswith(FORWARDING_HEADERS) for header in environ):
            return "is not open through a proxy"
        if not _is_loopback_host(environ.get("HTTP_HOST", "")):
            # DNS rebinding: a page's own host name that has come to point at this machine.
            return "is open to a loopback host name only"
        return ""


def _presented(request: Request) -> bytes:
    """The token of a request; b"" when there is none. WSGI gives header bytes as Latin-1 (PEP 3333)."""
    value = request.environ.get(TOKEN_HEADER)
    if value is None:
        scheme, _, rest = request.environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        value = rest if scheme.lower() == "bearer" else ""
    return str(value).strip().encode("latin-1", "replace")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address.rpartition("%")[0] or address).is_loopback or _mapped(address)
    except ValueError:
        return False


def _mapped(address: str) -> bool:
    """``::ffff:127.0.0.1``, which is_loopback denies before Python 3.13."""
    mapped = getattr(ip_address(address), "ipv4_mapped", None)
    return bool(mapped and mapped.is_loopback)


def _netloc(url: str) -> str | None:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return None


def _is_loopback_host(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)
