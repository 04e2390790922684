"""A server's container: what Docker gets, when it counts as started, and what is said when it does not start."""

from __future__ import annotations

import io
import ssl
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from docker.errors import NotFound
from local_aws.emulator.servers import Failed, Server, Servers, certificate_of, image_of

pytestmark = pytest.mark.pure

NAME = "local-aws-c1-database-shop-orders"
ORDERS = Server(
    kind="database",
    id="shop-orders",
    host="shop-orders.rds.internal",
    starts="exec serve",
    ready="ask",
    keeps="/data",
    files={"first.sql": b"secret word"},
    environment={"PORT": "5432"},
)


@dataclass
class FakeDocker:
    """Docker's client, for one container. `answers`: exit codes, one a look. `lost`: so many answers are."""

    answers: list[int] = field(default_factory=lambda: [2, 0])
    exists: bool = False
    runs: bool = False
    ends: bool = False
    lost: int = 0
    calls: list[str] = field(default_factory=list)
    given: dict[str, Any] = field(default_factory=dict)
    files: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def inspect_container(self, name: str) -> dict[str, Any]:
        if not self.exists:
            raise NotFound(name)
        return {"State": {"Running": self.runs, "ExitCode": 1}}

    def create_host_config(self, **given: Any) -> dict[str, Any]:
        return given

    def create_endpoint_config(self, **given: Any) -> dict[str, Any]:
        return given

    def create_networking_config(self, given: Any) -> Any:
        return given

    def create_volume(self, name: str, labels: dict[str, str]) -> None:
        self.calls.append(f"volume {name} {labels}")

    def create_container(self, image: str, **given: Any) -> None:
        self.calls.append(f"create {given['name']} of {image}")
        self.given, self.exists = given, True

    def put_archive(self, name: str, path: str, data: bytes) -> None:
        assert (name, path) == (NAME, "/")
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for entry in tar:
                content = tar.extractfile(entry)
                if content:
                    self.files[entry.name] = (entry.mode, content.read())

    def start(self, name: str) -> None:
        self.calls.append(f"start {name}")
        self.runs = not self.ends

    def exec_create(self, name: str, command: list[str], environment: dict[str, str]) -> dict[str, str]:
        assert (name, command[:2]) == (NAME, ["/bin/sh", "-euc"])
        return {"Id": f"{command[2]} {environment or ''}".strip()}

    def exec_start(self, id: str) -> bytes:
        self.calls.append(f"run {id}")
        self.lost -= 1
        return b"" if self.lost >= 0 else b"said\n"

    def exec_inspect(self, _id: str) -> dict[str, int]:
        return {"ExitCode": self.answers.pop(0)}

    def logs(self, name: str, **_: Any) -> bytes:
        assert name == NAME
        return b"no space left\n"

    def stop(self, name: str, timeout: int) -> None:
        self.calls.append(f"stop {name} {timeout}")
        self.runs = False

    def remove_container(self, name: str, **given: Any) -> None:
        if not self.exists:
            raise NotFound(name)
        self.calls.append(f"remove {name} {given}")
        self.exists = False

    def remove_volume(self, name: str) -> None:
        self.calls.append(f"remove volume {name}")


def started(client: FakeDocker, image: Callable[[], str] = lambda: "postgres:1") -> list[str]:
    Servers("c1", "lane", client, pause=0.0).start(ORDERS, image)
    return client.calls


LABELS = {"local-aws.cloud": "c1", "local-aws.group": "database:shop-orders"}
MADE = [f"volume {NAME} {LABELS}", f"create {NAME} of postgres:1", f"start {NAME}", "run ask", "run ask"]


def test_it_is_made_and_counts_as_started_once_it_answers() -> None:
    assert started(FakeDocker()) == MADE


def test_its_container_is_one_of_this_cloud_and_none_of_a_task() -> None:
    client = FakeDocker()
    started(client)
    assert client.given["labels"] == LABELS
    assert client.given["environment"] == {"PORT": "5432"}
    assert client.given["entrypoint"] == ["/bin/sh", "-euc", "exec serve"]


def test_tasks_know_it_by_its_name() -> None:
    client = FakeDocker()
    started(client)
    assert client.given["host_config"]["network_mode"] == "lane"
    assert client.given["networking_config"] == {"lane": {"aliases": ["shop-orders.rds.internal"]}}


def test_what_it_keeps_is_in_a_volume_and_its_secrets_are_nowhere_in_what_docker_shows() -> None:
    client = FakeDocker()
    started(client)
    assert client.given["host_config"]["binds"] == {NAME: {"bind": "/data", "mode": "rw"}}
    assert client.files == {"local-aws/first.sql": (0o600, b"secret word")}
    assert "secret word" not in str(client.given)


def no_image() -> str:
    raise AssertionError("no image is needed")


def test_one_that_runs_is_left_alone() -> None:
    assert started(FakeDocker(exists=True, runs=True, answers=[0]), no_image) == ["run ask"]


def test_one_that_has_ended_is_made_anew_around_what_it_keeps() -> None:
    gone = f"remove {NAME} {{'v': True, 'force': True}}"
    assert started(FakeDocker(exists=True)) == [gone, *MADE]


def test_one_that_ends_at_once_says_its_last_words() -> None:
    with pytest.raises(Failed, match="it ended with exit code 1: no space left"):
        started(FakeDocker(ends=True))


def test_without_an_image_it_says_why() -> None:
    def none() -> str:
        raise Failed("Debian's packages did not make a base image.")

    with pytest.raises(Failed, match="Debian's packages"):
        started(FakeDocker(), none)


def test_it_is_asked_in_its_container() -> None:
    client = FakeDocker(exists=True, runs=True, answers=[0, 3])
    servers = Servers("c1", "lane", client)
    assert servers.ask("database", "shop-orders", "version", {"A": "b"}) == "said"
    assert client.calls == ["run version {'A': 'b'}"]
    with pytest.raises(Failed, match="said"):
        servers.ask("database", "shop-orders", "version")


def test_it_is_removed_with_what_it_keeps_and_gone_is_fine() -> None:
    client = FakeDocker(exists=True)
    servers = Servers("c1", "lane", client)
    servers.remove("database", "shop-orders")
    assert client.calls == [f"remove {NAME} {{'v': True, 'force': True}}", f"remove volume {NAME}"]
    servers.remove("database", "shop-orders")


def test_what_it_keeps_may_outlive_it_under_a_name_of_its_own() -> None:
    client = FakeDocker(exists=True, runs=True)
    servers = Servers("c1", "lane", client, pause=0.0)
    servers.end("database", "shop-orders")
    assert client.calls == [f"stop {NAME} 30", f"remove {NAME} {{'v': True, 'force': True}}"]
    servers.start(replace(ORDERS, volume="db-1"), lambda: "postgres:1")
    assert client.given["host_config"]["binds"] == {
        "local-aws-c1-database-db-1": {"bind": "/data", "mode": "rw"},
    }
    servers.forget("database", "db-1")
    assert client.calls[-1] == "remove volume local-aws-c1-database-db-1"


def test_its_certificate_is_of_its_name_and_by_the_authority_of_the_cloud(tmp_path: Path) -> None:
    files = certificate_of("shop-orders.rds.internal", tmp_path)
    made = x509.load_pem_x509_certificate(files["tls.crt"])
    authority = x509.load_pem_x509_certificate((tmp_path / "authority/ca.pem").read_bytes())
    made.verify_directly_issued_by(authority)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["shop-orders.rds.internal"]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")


def test_the_image_is_made_by_the_interpreter_of_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    monkeypatch.setenv("LOCAL_PYTHON", str(python))
    python.write_text('#!/bin/sh\n[ "$*" = "-m local_aws.server_images database" ] && echo local-aws/postgres:7\n')
    python.chmod(0o755)
    assert image_of("database") == "local-aws/postgres:7"
    python.write_text("#!/bin/sh\necho 'Debian is away' >&2; exit 3\n")
    with pytest.raises(Failed, match="Debian is away"):
        image_of("database")


def test_what_docker_lost_of_an_answer_is_asked_again() -> None:
    client = FakeDocker(exists=True, runs=True, answers=[0] * 30, lost=2)
    assert Servers("c1", "lane", client).answer_of("database", "shop-orders", "version") == "said"
    assert client.calls == ["run version"] * 3
    client.lost = 1000
    assert Servers("c1", "lane", client).answer_of("database", "shop-orders", "version") == "", (
        "it is not asked for ever"
    )


def test_what_failed_is_not_asked_again() -> None:
    client = FakeDocker(exists=True, runs=True, answers=[3], lost=1)
    with pytest.raises(Failed):
        Servers("c1", "lane", client).answer_of("database", "shop-orders", "version")
    assert client.calls == ["run version"]
