# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and forgetting, as vSwitches and port groups share them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ..._cloud import Cloud
from ..._model.errors import PextraError, Problem, SwitchError
from ..._model.plan import Step, Work
from ..hierarchy.plan import find, find_cluster
from .definition import Attachment, parse_attachments
from .state import NetworkHave, NetworkState, NodeState


def read_network(cloud: Cloud, clusters: Sequence[str | None] | None, *, with_defined: bool) -> NetworkHave:
    """Read the registry and, at once, all nodes of the clusters given as options name them; None is all clusters.

    with_defined: read the definitions of stopped instances too, which is needed only where something goes away.
    """
    rows = cloud.registry.rows("cluster", "node", "vswitch", "port_group")
    known = tuple(row for row in rows if row.kind == "cluster")
    scopes = {row.id for row in known}
    if clusters is not None:
        found = [find_cluster(reference, known) for reference in set(clusters)]
        scopes = {row.id for row in found if not isinstance(row, str)}

    def read_node(node: str) -> NodeState:
        switch = cloud.switch(node).read()
        hypervisor = cloud.hypervisor(node)
        networks = {
            record.name: NetworkState(xml=record.xml, active=record.active, autostart=record.autostart)
            for record in hypervisor.networks()
        }
        if with_defined:
            domains = hypervisor.domains()
            running = [domain.live for domain in domains if domain.live is not None]
            defined = [domain.config for domain in domains]
        else:
            running, defined = hypervisor.live_domain_xml(), []
        return NodeState(switch=switch, networks=networks, running=_attachments(running), defined=_attachments(defined))

    nodes = tuple(row for row in rows if row.kind == "node")
    states = cloud.on_each([row.name for row in nodes if row.scope in scopes], read_node)
    return NetworkHave(
        clusters=known,
        nodes=nodes,
        vswitches=tuple(row for row in rows if row.kind == "vswitch"),
        port_groups=tuple(row for row in rows if row.kind == "port_group"),
        states=states,
        down=dict(cloud.unreachable),
    )


class Forgetting:
    """Forgets rows, but only those whose removal did not fail on any node."""

    def __init__(self) -> None:
        # By identifier: another cluster may have one of the same name.
        self._failed: set[str | None] = set()

    def watch(self, work: Work, error: PextraError) -> None:
        """Note that something failed, and go on raising."""
        self._failed.add(work.id)
        raise error

    def forget(self, cloud: Cloud, work: Work, step: Step) -> None:
        if work.id in self._failed:
            raise SwitchError(
                [
                    Problem(
                        "it stays registered, because it could not be removed everywhere",
                        "Mend what failed, and run again.",
                        resource=work.key,
                    )
                ]
            )
        cloud.registry.remove(step.data["ids"])


def wanted_first(wants: Sequence[Any], rows: Collection[Any], have: NetworkHave) -> list[tuple[str, Any]]:
    """Return (name, row or None) in the order of `wants`, or of all rows if there are none."""
    if not wants:
        return [(row.name, row) for row in rows]
    found = []
    for want in wants:
        cluster = find_cluster(want.cluster, have.clusters)
        scope = None if isinstance(cluster, str) else cluster.id
        found.append((want.name, find(want.name, [row for row in rows if row.scope == scope])))
    return found


def _attachments(texts: Sequence[str]) -> tuple[Attachment, ...]:
    return tuple(nic for text in texts for nic in parse_attachments(text))
