"""PostgreSQL servers: a container at Docker for each instance, on the network of the tasks.

The image is Debian's, as local_aws/database_image.py makes it; the official one has the same layout. What a container
has to do at its start is in STARTS, so the image needs nothing of ours. The data is in a volume of the container, so a
container that was stopped goes on with it.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from local_aws.emulator.rds.model import Instance
from local_aws.emulator.rds.service import Address, Failed

CLOUD_LABEL, DATABASE_LABEL, GROUP_LABEL = "local-aws.cloud", "local-aws.database", "local-aws.group"
DATA = "/var/lib/postgresql/local-aws"
STARTS_WITHIN, PAUSE = 120.0, 0.2
"""Seconds for a server to take connections, and between two looks."""

STARTS = f"""
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
as() {{ setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }}
if [ ! -s {DATA}/PG_VERSION ]; then
  install -d -m 700 -o postgres -g postgres {DATA}
  install -m 600 -o postgres -g postgres /dev/null /tmp/password
  printf %s "$MASTER_PASSWORD" > /tmp/password
  as "$bin/initdb" -D {DATA} -U "$MASTER_USER" --pwfile=/tmp/password -A scram-sha-256 -E UTF8 --locale=C.UTF-8
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> {DATA}/pg_hba.conf
  if [ "$DATABASE" != postgres ]; then
    echo "CREATE DATABASE \\"$DATABASE\\";" | as "$bin/postgres" --single -D {DATA} postgres
  fi
fi
unset MASTER_PASSWORD
exec setpriv --reuid=postgres --regid=postgres --clear-groups \\
  "$bin/postgres" -D {DATA} -p "$PORT" -c listen_addresses='*' -c unix_socket_directories=/tmp
"""
"""Run by sh as root: makes the cluster and its database once, then becomes the server."""


def container(instance: Instance, password: str, cloud: str, image: str) -> dict[str, Any]:
    """What Docker gets, but for the network."""
    return {
        "image": image,
        "entrypoint": ["/bin/sh", "-euc", STARTS],
        "command": [],
        "user": "0:0",
        "name": name_of(instance.id, cloud),
        "environment": {
            "MASTER_USER": instance.user,
            "MASTER_PASSWORD": password,
            "DATABASE": instance.database,
            "PORT": str(instance.port),
        },
        "labels": {CLOUD_LABEL: cloud, DATABASE_LABEL: instance.id, GROUP_LABEL: f"database:{instance.id}"},
        "volumes": [DATA],
        "stop_signal": "SIGINT",  # a fast shutdown: SIGTERM would wait for every client to leave
    }


def name_of(id_: str, cloud: str) -> str:
    """Of the container of an instance."""
    return f"local-aws-{cloud}-db-{id_}"


def ready(port: int) -> list[str]:
    """Inside the container: does the server take connections?"""
    return ["sh", "-c", f"$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)/pg_isready -q -h 127.0.0.1 -p {port}"]


class DockerServers:
    """`Servers` of a local cloud."""

    def __init__(
        self,
        cloud: str,
        network: str,
        client: Any = None,
        image: Callable[[], str] = lambda: image_made_by(os.environ.get("LOCAL_PYTHON", sys.executable)),
        pause: float = PAUSE,
    ) -> None:
        self._cloud, self._network, self._pause = cloud, network, pause
        self._given, self._image = client, image

    @property
    def _client(self) -> Any:
        if self._given is None:
            from docker import APIClient
            from docker.utils import kwargs_from_env

            self._given = APIClient(version="auto", **kwargs_from_env())
        return self._given

    def start(self, instance: Instance, password: str) -> Address:
        """Make its container, or start the one that there is; wait until it takes connections."""
        from docker.errors import APIError, NotFound

        name = name_of(instance.id, self._cloud)
        try:
            try:
                self._client.inspect_container(name)
            except NotFound:
                self._create(instance, password)
            self._client.start(name)
            self._wait(name, instance.port)
            return Address(self._address(name), instance.port)
        except APIError as error:
            raise Failed(f"Docker did not start it: {error}") from error

    def remove(self, id: str) -> None:
        """With its volume."""
        from docker.errors import NotFound

        with contextlib.suppress(NotFound):
            self._client.remove_container(name_of(id, self._cloud), v=True, force=True)

    def _create(self, instance: Instance, password: str) -> None:
        given = container(instance, password, self._cloud, self._image())
        host = self._client.create_host_config(network_mode=self._network)
        self._client.create_container(host_config=host, **given)

    def _wait(self, name: str, port: int) -> None:
        until = time.monotonic() + STARTS_WITHIN
        while True:
            state = self._client.inspect_container(name)["State"]
            if not state["Running"]:
                raise Failed(f"PostgreSQL ended with {state['ExitCode']}: {self._last_words(name)}")
            asked = self._client.exec_create(name, ready(port))["Id"]
            self._client.exec_start(asked)
            if self._client.exec_inspect(asked)["ExitCode"] == 0:
                return
            if time.monotonic() > until:
                raise Failed(f"PostgreSQL took no connections within {STARTS_WITHIN:.0f} s: {self._last_words(name)}")
            time.sleep(self._pause)

    def _last_words(self, name: str) -> str:
        lines: bytes = self._client.logs(name, stdout=True, stderr=True, tail=5)
        return " / ".join(lines.decode(errors="replace").splitlines())

    def _address(self, name: str) -> str:
        networks = self._client.inspect_container(name)["NetworkSettings"]["Networks"]
        return str(networks[self._network]["IPAddress"])


def image_made_by(python: str) -> str:
    """Made at the first use: where no registry can be reached that takes a minute, once for a machine.

    The emulator's own environment has none of what that takes, so `python` is that of the local cloud's command.
    """
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [python, "-m", "local_aws.database_image"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return done.stdout.strip()
