"""The ticket renewer with a real KDC."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from pathlib import Path

from live.concurrency import run_concurrently
from live.harness import Server

from services.kdc import PRINCIPAL, REALM, Realm
from services.running import start_by_curl


def begin_of_ticket(realm: Realm, cache: Path) -> datetime | None:
    """Return when the ticket in a cache became valid, according to ``klist``."""
    listed = realm.list_tickets(cache)
    found = re.search(rf"^(\S+ \S+)  .*krbtgt/{REALM}@{REALM}", listed, re.MULTILINE)
    assert not listed or f"Default principal: {PRINCIPAL}\n" in listed, listed
    return datetime.strptime(found[1], "%m/%d/%y %H:%M:%S") if found else None


def check(server: Server, realm: Realm) -> None:
    """Obtain and renew a ticket with a server."""
    cache = server.home / "krb5cc"
    service = start_by_curl(server, "kerberos", principal=PRINCIPAL)
    first = service.wait_until("there is a ticket", lambda: begin_of_ticket(realm, cache))
    service.wait_until("it was renewed", lambda: (begin_of_ticket(realm, cache) or first) > first)
    service.stop()


def test_a_ticket_is_obtained_and_renewed(main_servers: dict[str, Server], realm: Realm) -> None:
    run_concurrently(*(partial(check, server, realm) for server in main_servers.values()))
