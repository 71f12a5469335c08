# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Opening the registry's database, so that no call to it waits for ever. What one database needs, is here alone."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import peewee

from ..._model.errors import Problem, RegistryError
from ..._model.registry_url import find_port_mistake, without_password

# All are shorter than a lease lives (leases.py), so that a database that hangs costs a run its leases in time.
CALL_TIMEOUT_S = 12.0
_LOCK_TIMEOUT_S = 10


def sqlite_path(url: str) -> str | None:
    """Return the path of an SQLite registry, None for another database."""
    return urlsplit(url).path[1:] if url.startswith("sqlite:") else None


def is_there(path: str) -> bool:
    """Tell whether there is a registry. Raises RegistryError where this user may not look, which tells nothing."""
    try:
        os.stat(path)
        is_allowed = os.access(path, os.R_OK | os.W_OK, effective_ids=True)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        is_allowed = False
    if not is_allowed:
        user = pwd.getpwuid(os.geteuid()).pw_name
        raise RegistryError(
            [
                Problem(
                    f"the user {user} may not use the registry at {path}",
                    "Run as root: become: true in a playbook, -b (--become) on the command line.",
                )
            ]
        )
    return True


@contextlib.contextmanager
def reporting_opening(url: str) -> Iterator[None]:
    """Raise RegistryError for what goes wrong while the database is opened and its schema is looked at."""
    try:
        yield
    except (peewee.DatabaseError, peewee.InterfaceError, peewee.ImproperlyConfigured, RuntimeError) as error:
        raise RegistryError(f"the registry at {without_password(url)} cannot be used: {error}") from error


def database_of(url: str) -> Any:
    """Return the database, not yet connected. Threads share the connection: the registry's lock keeps them apart."""
    path = sqlite_path(url)
    if path is None:
        # Loads the drivers of every database that peewee knows, which SQLite need not wait for.
        from playhouse.db_url import connect

        mistake = find_port_mistake(url)
        if mistake is not None:
            raise RegistryError(f"the address of the registry {mistake}")
        return connect(url, thread_safe=False, autoconnect=False)
    # WAL lets readers go on while one writes; the timeout covers two runs at once.
    pragmas = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": "normal"}
    return peewee.SqliteDatabase(
        path, thread_safe=False, autoconnect=False, check_same_thread=False, timeout=_LOCK_TIMEOUT_S, pragmas=pragmas
    )


def is_sqlite(database: Any) -> bool:
    return isinstance(database, peewee.SqliteDatabase)


def errors_of(database: Any) -> tuple[type[Exception], ...]:
    """Return what a call to the database may raise: peewee knows most of its driver's errors, but no cancelled call."""
    known: tuple[type[Exception], ...] = (peewee.DatabaseError, peewee.InterfaceError)
    if isinstance(database, peewee.PostgresqlDatabase):
        from psycopg2 import Error  # type: ignore[import-untyped, unused-ignore]

        return (*known, Error)
    return known


def open_connection(database: Any) -> None:
    """Connect, if it is not connected, or not any more: a server may be started anew, or hand over to another."""
    if isinstance(database, peewee.PostgresqlDatabase):
        _close_if_broken(database)
        if database.is_closed():
            _bound_waiting()
            database.connect()
            # The server's own bounds: it lets go of the locks of a client that hangs or has gone.
            for name, seconds in (
                ("statement_timeout", _LOCK_TIMEOUT_S),
                ("lock_timeout", _LOCK_TIMEOUT_S),
                ("idle_in_transaction_session_timeout", _LOCK_TIMEOUT_S),
            ):
                database.execute_sql(f"SET {name} = {seconds * 1000}")
    elif database.is_closed():
        database.connect()


def _close_if_broken(database: Any) -> None:
    if not database.is_closed() and not database.in_transaction() and database.connection().closed:
        database.close()


def _bound_waiting() -> None:
    """Bound every call to PostgreSQL, also to one that is frozen: its own time limits need a server that runs."""
    from psycopg2.extensions import set_wait_callback  # type: ignore[import-untyped, unused-ignore]

    set_wait_callback(_wait)


def _wait(connection: Any) -> None:
    from psycopg2 import OperationalError  # type: ignore[import-untyped, unused-ignore]
    from psycopg2.extensions import POLL_OK, POLL_READ, POLL_WRITE

    deadline = time.monotonic() + CALL_TIMEOUT_S
    while True:
        state = connection.poll()
        if state == POLL_OK:
            return
        left = deadline - time.monotonic()
        reading = [connection.fileno()] if state == POLL_READ else []
        writing = [connection.fileno()] if state == POLL_WRITE else []
        if left <= 0 or not any(select.select(reading, writing, [], left)):
            # The connection is closed by that: nobody may take this answer for the next call's.
            raise OperationalError(f"it did not answer within {CALL_TIMEOUT_S:g} s")
