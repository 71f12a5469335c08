# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Registries to test with: SQLite, and a PostgreSQL of the tests' own where it is installed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Start a PostgreSQL that listens on a socket only. Returns the URL of its server, without a database."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed (pip install psycopg2-binary)")
    directory = Path(tempfile.mkdtemp(prefix="pextra-postgresql-"))
    as_user: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(directory, account.pw_uid, account.pw_gid)
        as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    data, control = directory / "data", str(programs[-1].with_name("pg_ctl"))

    def run(*command: str) -> None:
        # Not through pipes: the server would keep them open.
        with (directory.parent / f"{directory.name}.log").open("ab") as log:
            subprocess.run([*as_user, *command], check=True, cwd="/", stdout=log, stderr=log, timeout=60)

    try:
        run(str(programs[-1]), "--auth=trust", "--username=pextra", "--no-sync", f"--pgdata={data}")
        settings = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
        run(control, "start", f"--pgdata={data}", f"--options={settings}", "--wait", f"--log={directory}/log")
        yield f"postgresql://pextra@/{{}}?host={directory}"
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):
            run(control, "stop", f"--pgdata={data}", "--mode=immediate", "--wait")
        shutil.rmtree(directory)
        (directory.parent / f"{directory.name}.log").unlink()


@pytest.fixture(params=["sqlite", "postgresql"])
def registry_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/registry.db"
    import psycopg2  # type: ignore[import-untyped, unused-ignore]

    server: str = request.getfixturevalue("postgresql")
    name = f"registry_{os.urandom(4).hex()}"
    connection = psycopg2.connect(server.format("postgres"))
    connection.autocommit = True
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    return server.format(name)


@pytest.fixture
def registry(registry_url: str) -> Iterator[Registry]:
    with Registry(registry_url, create=True) as opened:
        yield opened
