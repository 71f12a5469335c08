# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The door to Ceph's monitors: their commands over librados, as the `ceph` program sends them, without its start-up
time and without anything secret among a program's arguments.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..._model.errors import CephError

CONF = "/etc/ceph/ceph.conf"
ADMIN = "client.admin"
ADMIN_KEYRING = "/etc/ceph/ceph.client.admin.keyring"
BOOTSTRAP = "client.bootstrap-osd"
BOOTSTRAP_KEYRING = "/var/lib/ceph/bootstrap-osd/ceph.keyring"
_COMMAND_TIMEOUT_S = 60


class Connection:
    """An open connection. `ask` is the only thing it does."""

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def ask(self, command: str, given: str = "", /, **arguments: Any) -> Any:
        """Send a command and return its answer, read from JSON where it is JSON. given: what it reads as its input.

        Raises CephError if the monitors refuse it.
        """
        sent = json.dumps({"prefix": command, "format": "json", **arguments})
        code, out, why = self._cluster.mon_command(sent, given.encode(), timeout=_COMMAND_TIMEOUT_S)
        return _read_answer(command, code, out, why)

    def ask_manager(self, command: str, /, **arguments: Any) -> Any:
        """As `ask`, of the active manager."""
        sent = json.dumps({"prefix": command, "format": "json", **arguments})
        code, out, why = self._cluster.mgr_command(sent, b"", timeout=_COMMAND_TIMEOUT_S)
        return _read_answer(command, code, out, why)


def _read_answer(command: str, code: int, out: bytes, why: str) -> Any:
    if code != 0:
        raise CephError(f"Ceph refuses `{command}`: {why.strip() or f'error {code}'}")
    text = out.decode()
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()


@contextmanager
def connected(name: str, keyring: str, timeout_s: int) -> Iterator[Connection]:
    """Connect to the monitors, for as long as they need to form a quorum. Raises CephError."""
    try:
        import rados
    except ImportError as error:
        raise CephError("the package python3-rados is not installed on this host") from error
    deadline = time.monotonic() + timeout_s
    while True:
        # A client that gave up once must not be used again.
        cluster = rados.Rados(
            conffile=CONF, name=name, conf={"keyring": keyring, "client_mount_timeout": str(min(timeout_s, 10))}
        )
        try:
            cluster.connect()
            break
        except rados.TimedOut as error:
            cluster.shutdown()
            if time.monotonic() >= deadline:
                raise CephError(
                    f"no quorum of the monitors answers within {timeout_s} s. Look at systemctl status ceph-mon@* on "
                    "their nodes, and whether port 3300 is open between them"
                ) from error
        except rados.Error as error:
            cluster.shutdown()
            raise CephError(f"the monitors do not let {name} in ({error}); its key is in {keyring}") from error
    try:
        yield Connection(cluster)
    finally:
        cluster.shutdown()
