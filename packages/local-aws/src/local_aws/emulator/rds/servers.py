"""PostgreSQL servers, one for each instance.

The image is Debian's, as local_aws/server_images.py makes it; the official one has the same layout. As on RDS, the
superuser is `rdsadmin` and the master user is none; plain connections are refused, in the words of rds.force_ssl.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from local_aws.emulator.rds.model import Instance
from local_aws.emulator.servers import FILES, Server, Servers, certificate_of, image_of

KIND = "database"
KEEPS = "/var/lib/postgresql/local-aws"
QUIETLY = "-q --no-psqlrc -v ON_ERROR_STOP=1 -v VERBOSITY=terse"
"""An error does not repeat the statement, which holds a password."""
BIN = "$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)"

STARTS = f"""
bin={BIN}
as() {{ setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }}
chown -R postgres:postgres {FILES} {KEEPS}
if [ ! -d {KEEPS}/cluster ]; then
  rm -rf {KEEPS}/new
  as "$bin/initdb" --no-sync -D {KEEPS}/new -U rdsadmin -E UTF8 --locale=C.UTF-8
  as "$bin/postgres" --single -D {KEEPS}/new -c log_min_error_statement=panic postgres < {FILES}/first.sql
  cp {FILES}/hba.conf {KEEPS}/new/pg_hba.conf
  mv {KEEPS}/new {KEEPS}/cluster
fi
rm -f {FILES}/first.sql
exec setpriv --reuid=postgres --regid=postgres --clear-groups "$bin/postgres" -D {KEEPS}/cluster -p "$PORT" \\
  -c listen_addresses='*' -c unix_socket_directories=/tmp -c fsync=off \\
  -c ssl=on -c ssl_cert_file={FILES}/tls.crt -c ssl_key_file={FILES}/tls.key
"""
"""Makes the cluster once, whole or not at all, then becomes the server. What it writes outlives its end, not a crash
of this machine."""

HBA = """\
local   all rdsadmin     trust
hostssl all all      all scram-sha-256
"""
"""Who may connect: rdsadmin in the container alone, which is how a password is changed."""


def first(user: str, password: str, database: str) -> str:
    """The statements with which a cluster begins, one a line: its master user, and its database."""
    role, own = quoted(user), [quoted(name) for name in dict.fromkeys(("postgres", database)) if name]
    return "\n".join(
        (
            "CREATE ROLE rds_superuser IN ROLE pg_monitor, pg_signal_backend, pg_checkpoint;",
            f"CREATE ROLE {role} LOGIN CREATEDB CREATEROLE IN ROLE rds_superuser PASSWORD {literal(password)};",
            *(f"CREATE DATABASE {name};" for name in own[1:]),
            *(f"ALTER DATABASE {name} OWNER TO {role};" for name in own),
            "",
        )
    )


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


class Databases:
    """`service.Databases`. `folder` holds the state of this cloud, and so its authority."""

    def __init__(
        self,
        servers: Servers,
        folder: Path,
        image: Callable[[], str] = lambda: image_of(KIND),
    ) -> None:
        self._servers, self._folder, self._image = servers, folder, image

    def start(self, instance: Instance, password: str) -> str:
        self._servers.start(self._server(instance, password), self._image)
        return version_in(self._servers.answer_of(KIND, instance.id, f"{BIN}/postgres --version"))

    def set_password(self, instance: Instance, password: str) -> None:
        statement = f"ALTER ROLE {quoted(instance.user)} PASSWORD {literal(password)};"
        ask = f'printf %s "$STATEMENT" | {BIN}/psql {QUIETLY} -U rdsadmin -h /tmp -p {instance.port} postgres'
        self._servers.ask(KIND, instance.id, ask, {"STATEMENT": statement})

    def remove(self, instance: Instance) -> None:
        if instance.last:
            self._servers.end(KIND, instance.id)
        else:
            self._servers.remove(KIND, instance.id, instance.resource_id)

    def forget(self, resource_id: str) -> None:
        self._servers.forget(KIND, resource_id)

    def _server(self, instance: Instance, password: str) -> Server:
        return Server(
            kind=KIND,
            id=instance.id,
            host=instance.host,
            starts=STARTS,
            ready=f"{BIN}/pg_isready -q -h 127.0.0.1 -p {instance.port}",
            stop_signal="SIGINT",  # a fast shutdown: SIGTERM would wait for every client to leave
            keeps=KEEPS,
            volume=instance.resource_id,
            files={
                **certificate_of(instance.host, self._folder),
                "hba.conf": HBA.encode(),
                "first.sql": first(instance.user, password, instance.database).encode(),
            },
            environment={"PORT": str(instance.port)},
        )


def version_in(said: str) -> str:
    """`postgres (PostgreSQL) 17.6 (Debian 17.6-0+deb13u1)` -> `17.6`; "" where there is none."""
    found = re.search(r"\(PostgreSQL\) (\d+\.\d+)", said)
    return found[1] if found else ""
