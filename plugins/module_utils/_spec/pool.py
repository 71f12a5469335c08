"""Storage pool: where volumes live. Configured on a cluster, enabled on nodes."""

from __future__ import annotations

from dataclasses import dataclass

from ._common import CLUSTER, DESCRIPTION, NAME, NODES, STATE
from ._fields import Field
from ._pool_path import check_pool_path

FIELDS = {
    "name": NAME,
    "type": Field(kind="str", default="directory", choices=("directory",), help="What the pool is made of."),
    "path": Field(
        kind="str",
        check=check_pool_path,
        help="The directory. V(/var/lib/pextra/pools/<name>) unless given. It cannot be changed afterwards.",
    ),
    "shared": Field(
        kind="bool",
        default=False,
        help="Whether the nodes see the same files there, so that instances can move live between them.",
    ),
    "cluster": CLUSTER,
    "nodes": NODES,
    "description": DESCRIPTION,
    "state": STATE,
}


@dataclass(frozen=True, kw_only=True)
class Pool:
    name: str
    type: str = "directory"
    path: str | None = None
    shared: bool = False
    cluster: str | None = None
    nodes: tuple[str, ...] | None = None
    description: str | None = None
    state: str = "present"

    @property
    def target(self) -> str:
        return self.path or f"/var/lib/pextra/pools/{self.name}"
