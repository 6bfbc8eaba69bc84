"""Run a real Kerberos key distribution center, MIT's, on a loopback port."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from live.concurrency import wait_until
from live.ports import free_port

REALM = "TEST.EXAMPLE"
PRINCIPAL = f"airflow/localhost@{REALM}"

# https://web.mit.edu/kerberos/krb5-1.20/doc/admin/conf_files/krb5_conf.html
CONFIG = """\
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    dns_canonicalize_hostname = false
    udp_preference_limit = 1
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
"""
# https://web.mit.edu/kerberos/krb5-1.20/doc/admin/conf_files/kdc_conf.html
KDC_CONFIG = """\
[kdcdefaults]
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/kadm5.acl
        max_life = 1h
        max_renewable_life = 1d
    }}
"""


@dataclass(frozen=True)
class Realm:
    """A realm with one principal, ``PRINCIPAL``.

    :param config: the configuration of its clients
    :param keytab: the keys of the principal
    """

    config: Path
    keytab: Path

    def list_tickets(self, cache: Path) -> str:
        """Return what ``klist`` prints about a credential cache; "" if it holds none."""
        done = subprocess.run(
            ["klist", "-c", str(cache)],
            env={**os.environ, "KRB5_CONFIG": str(self.config), "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else ""


@contextmanager
def run_kdc(folder: Path) -> Iterator[Realm]:
    """Run a server during the context, with a new realm.

    :param folder: the directory of its files
    """
    port = free_port()
    realm = Realm(folder / "krb5.conf", folder / "airflow.keytab")
    realm.config.write_text(CONFIG.format(realm=REALM, port=port))
    (folder / "kdc.conf").write_text(KDC_CONFIG.format(realm=REALM, port=port, folder=folder))
    env = {**os.environ, "KRB5_CONFIG": str(realm.config), "KRB5_KDC_PROFILE": str(folder / "kdc.conf")}
    programs = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"

    def program(name: str) -> str:
        path = shutil.which(name, path=programs)
        assert path, f"these tests need {name} from Debian's package krb5-kdc or krb5-admin-server"
        return path

    def run(name: str, *arguments: str) -> None:
        subprocess.run([program(name), *arguments], env=env, check=True, capture_output=True, timeout=120)

    run("kdb5_util", "create", "-s", "-r", REALM, "-P", "the password of the database")
    run("kadmin.local", "-r", REALM, "-q", f"addprinc -randkey {PRINCIPAL}")
    run("kadmin.local", "-r", REALM, "-q", f"ktadd -k {realm.keytab} {PRINCIPAL}")
    with (folder / "kdc.log").open("wb") as log:
        argv = [program("krb5kdc"), "-n", "-r", REALM]
        server = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def listens() -> bool:
        assert server.poll() is None, (folder / "kdc.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until("the KDC listens", listens)
        yield realm
    finally:
        server.terminate()
        server.wait()
