"""The labels of a node: what the cloud writes beside its Open vSwitch, and a lost registry is rebuilt from."""

from __future__ import annotations

from collections.abc import Mapping

from ._ovsdb import Operation, Ovsdb, edit_map

_TABLE, _COLUMN = "Open_vSwitch", "external_ids"
_READ: Operation = {"op": "select", "table": _TABLE, "where": [], "columns": [_COLUMN]}


class NodeLabels:
    """Over an open connection to the node's OVSDB. Safe to use from several threads."""

    def __init__(self, database: Ovsdb) -> None:
        self._database = database

    def read(self) -> dict[str, str]:
        """Read all of them; none before Open vSwitch has started for the first time."""
        (found,) = self._database.transact([_READ], "read the node's labels")
        return {key: text for row in found["rows"] for key, text in row[_COLUMN][1]}

    def write(self, labels: Mapping[str, str | None]) -> None:
        """Write some, None removes one; in one transaction. Others stay."""
        operations = edit_map(_TABLE, [], _COLUMN, labels)
        if operations:
            self._database.transact(operations, "write the node's labels")
