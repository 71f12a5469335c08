# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is small in a node's OVSDB: the labels that a lost registry is rebuilt from, and what kind its datapaths are."""

from __future__ import annotations

from collections.abc import Mapping

from .protocol import Ovsdb
from .values import Operation, edit_map

_TABLE, _COLUMN = "Open_vSwitch", "external_ids"
_READ: Operation = {"op": "select", "table": _TABLE, "where": [], "columns": [_COLUMN]}
_READ_USERSPACE: Operation = {
    "op": "select",
    "table": "Bridge",
    "where": [["datapath_type", "==", "netdev"]],
    "columns": ["name"],
}
# The columns say which are NICs of the host: ports of other kinds have a type.
_READ_NICS: Operation = {"op": "select", "table": "Interface", "where": [], "columns": ["name", "type"]}


class NodeLabels:
    """Over an open connection to the node's OVSDB. Safe to use from several threads."""

    def __init__(self, database: Ovsdb) -> None:
        self._database = database

    def read(self) -> dict[str, str]:
        """Read all of them; none before Open vSwitch has started for the first time."""
        (found,) = self._database.transact([_READ], "read the node's labels")
        return {key: text for row in found["rows"] for key, text in row[_COLUMN][1]}

    def read_userspace(self) -> frozenset[str]:
        """Return the bridges with the datapath in user space."""
        (found,) = self._database.transact([_READ_USERSPACE], "read the node's datapaths")
        return frozenset(row["name"] for row in found["rows"])

    def read_nics(self) -> frozenset[str]:
        """Return the NICs of the host that are ports of a bridge, alone or in a bond; guests' ports are among them."""
        (found,) = self._database.transact([_READ_NICS], "read the node's ports")
        return frozenset(row["name"] for row in found["rows"] if row.get("type", "") in ("", "system"))

    def write(self, labels: Mapping[str, str | None]) -> None:
        """Write some, None removes one; in one transaction. Others stay."""
        operations = edit_map(_TABLE, [], _COLUMN, labels)
        if operations:
            self._database.transact(operations, "write the node's labels")
