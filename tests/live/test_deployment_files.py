"""The deployment guides: systemd units, the Dockerfile, Compose and Helm values."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from live.harness import VERSIONS, Server
from live.snippets import (
    STATE_VARIABLE,
    TOKEN_VARIABLE,
    UNITS,
    find_snippet,
    find_snippets,
    parse_ini,
    unit_variables,
)


class TestUnits:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_they_keep_the_state_private_and_the_token_secret(self, version: str) -> None:
        unit = find_snippet("ini", "systemd.md", UNITS[version])
        service = parse_ini(unit)["Service"]
        assert unit_variables(unit)[STATE_VARIABLE] == f"/var/lib/{service['StateDirectory']}"
        assert service["StateDirectoryMode"] == "0700"
        assert service["KillMode"] == "mixed"
        if "LoadCredential" in service:
            name, _, file = service["LoadCredential"].partition(":")
            assert unit_variables(unit)[f"{TOKEN_VARIABLE}_CMD"] == f"cat %d/{name}"
        else:
            file = service["EnvironmentFile"]
        assert find_snippets("bash", "systemd.md", f"> {file}'"), file

    @pytest.mark.parametrize("version", VERSIONS)
    def test_airflow_accepts_the_options(self, server: Server, version: str) -> None:
        """Each version of Airflow accepts only its own command."""
        service = parse_ini(find_snippet("ini", "systemd.md", UNITS[version]))["Service"]
        words = shlex.split(service["ExecStart"])[1:]
        known = server.run_python(
            "from airflow.cli.cli_parser import get_parser\n"
            f"try: get_parser().parse_args({words!r})\n"
            "except SystemExit: print('unknown')\n"
            "else: print('known')\n"
        )
        assert known.splitlines()[-1] == ("known" if server.version == version else "unknown")


class TestDocker:
    def instructions(self) -> list[tuple[str, str]]:
        """Return the instructions of the Dockerfile with their arguments."""
        text = re.sub(r"\\\n", " ", find_snippet("dockerfile", "docker.md", "FROM"))
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        return [(name, rest) for name, _, rest in (line.partition(" ") for line in lines)]

    def test_the_file_is_as_airflows_guide_has_it(self) -> None:
        names = [name for name, _ in self.instructions()]
        assert names == ["ARG", "FROM", "RUN", "RUN"]  # without USER, so pip runs as the image's user
        arguments = [rest for _, rest in self.instructions()]
        image = f"apache/airflow:{VERSIONS['3.3']}"
        assert arguments[:2] == [f"AIRFLOW_IMAGE={image}", "${AIRFLOW_IMAGE}"]
        words = shlex.split(arguments[2])
        assert words[:2] == ["pip", "install"]
        assert {"apache-airflow==${AIRFLOW_VERSION}", "airflow-remote[server]"} <= set(words)
        for command in arguments[2:]:
            assert subprocess.run(["bash", "-n", "-c", command], check=False).returncode == 0

    def test_each_version_can_be_built(self) -> None:
        commands = find_snippet("bash", "docker.md", "docker build")
        assert f"AIRFLOW_IMAGE=apache/airflow:{VERSIONS['2.11']}" in commands
        assert f":{VERSIONS['3.3']} ." in commands

    def test_compose_mounts_what_it_names(self) -> None:
        document = yaml.safe_load(find_snippet("yaml", "docker.md", "_CMD"))
        service = document["services"]["airflow-apiserver"]
        environment = service["environment"]
        [secret] = service["secrets"]
        assert environment[f"{TOKEN_VARIABLE}_CMD"] == f"cat /run/secrets/{secret}"
        assert secret in document["secrets"]
        [volume] = service["volumes"]
        name, _, mount = volume.partition(":")
        assert name in document["volumes"]
        # A mount point is not private, so the state is below it. The image creates it, writable for its user.
        assert Path(environment[STATE_VARIABLE]).parent == Path(mount)
        assert any(rest.endswith(mount) and "install -d" in rest for _, rest in self.instructions())
        assert document["secrets"][secret]["file"].removeprefix("./") in find_snippet(
            "bash", "docker.md", "umask"
        )

    def test_the_token_can_be_a_variable(self) -> None:
        document = yaml.safe_load(find_snippet("yaml", "docker.md", "REST_API_TOKEN:?"))
        assert TOKEN_VARIABLE in document["services"]["airflow-apiserver"]["environment"]


class TestHelm:
    @pytest.mark.parametrize(("part", "version"), [("webserver", "2.11"), ("apiServer", "3.3")])
    def test_values_fit_together(self, part: str, version: str) -> None:
        release = VERSIONS[version]
        document = yaml.safe_load(find_snippet("yaml", "helm.md", f'airflowVersion: "{release}"'))
        assert document.keys() == {"airflowVersion", "images", part}
        assert document["images"]["airflow"]["tag"] == document["airflowVersion"] == release
        values = document[part]
        assert values["replicas"] == 1
        environment = {one["name"]: one["value"] for one in values["env"]}
        volumes = {one["name"]: one for one in values["extraVolumes"]}
        mounts = {one["name"]: one for one in values["extraVolumeMounts"]}
        assert volumes.keys() == mounts.keys()
        secret = volumes["rest-api-token"]["secret"]
        assert secret["defaultMode"] == 0o440
        assert secret["secretName"] in find_snippet("bash", "helm.md", "create secret")
        assert "--from-literal=token=" in find_snippet("bash", "helm.md", "create secret")
        token = mounts["rest-api-token"]["mountPath"]
        assert environment[f"{TOKEN_VARIABLE}_CMD"] == f"cat {token}/token"
        assert Path(environment[STATE_VARIABLE]).parent == Path(mounts["rest-api-state"]["mountPath"])

    def test_a_claim_is_used_by_one_pod_and_left_private(self) -> None:
        values = yaml.safe_load(find_snippet("yaml", "helm.md", "persistentVolumeClaim"))["apiServer"]
        assert (values["replicas"], values["strategy"]) == (1, {"type": "Recreate"})
        assert values["securityContexts"]["pod"]["fsGroupChangePolicy"] == "OnRootMismatch"
        assert {one["name"] for one in values["extraVolumes"]} == {"rest-api-token", "rest-api-state"}

    def test_the_database_of_jobs_is_a_variable(self) -> None:
        [secret] = yaml.safe_load(find_snippet("yaml", "helm.md", "envName"))["secret"]
        assert secret.keys() == {"envName", "secretName", "secretKey"}
        assert secret["envName"] == "AIRFLOW__REST_API_PLUGIN__JOBS_URL"

    def test_the_ingress_matches_the_nginx_guide(self) -> None:
        ingress = yaml.safe_load(find_snippet("yaml", "helm.md", "ingress:"))["ingress"]["apiServer"]
        annotations = ingress["annotations"]
        assert all(isinstance(value, str) for value in annotations.values()), "Kubernetes takes texts only"
        block = find_snippet("nginx", "nginx.md", "listen 443")
        expected = {
            name: " ".join(re.findall(rf"{directive}\s+(\w+?)s?;", block))
            for name, directive in (
                ("proxy-body-size", "client_max_body_size"),
                ("proxy-read-timeout", "proxy_read_timeout"),
                ("proxy-next-upstream", "proxy_next_upstream"),
            )
        }
        settings = {name.rpartition("/")[2]: value for name, value in annotations.items()}
        assert settings.items() >= expected.items()
