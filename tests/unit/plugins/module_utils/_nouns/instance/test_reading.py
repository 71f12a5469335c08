# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is read of nodes for what a call wants: another cluster may have an instance of the same name."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance import reading
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import Nic, Root
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.plan.state import VmHave
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from instance_model import CLUSTER, Model, whole

OTHER = Row(f"cls-{'B' * 21}", "cluster", "mtl-2")
WEB = whole(name="web", image="tiny", root=Root(pool="shared"), nics=(Nic(port_group="Production"),))


@pytest.fixture
def have() -> VmHave:
    """Two clusters, each with a stopped instance `web` that has crashed."""
    model = Model.fresh()
    model.converge(replace(WEB, power="stopped"))
    have = model.have
    (((uuid, (domain,)),)) = have.domains.items()
    labels = replace(domain.config.labels, cluster=OTHER.id)
    other = replace(domain, config=replace(domain.config, uuid="other", labels=labels))
    hierarchy = replace(have.hierarchy, clusters=(*have.hierarchy.clusters, OTHER))
    return replace(have, hierarchy=hierarchy, domains={uuid: [domain], "other": [other]})


@pytest.mark.parametrize("cluster", [CLUSTER, OTHER])
def test_the_seed_of_what_is_named_in_part(have: VmHave, cluster: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one of the name is named whole, or not at all."""
    monkeypatch.setattr(reading, "_read_seed", lambda _, domain, *__: domain.config.labels.cluster)
    other = CLUSTER if cluster is OTHER else OTHER
    part = Vm(name="web", cluster=cluster.name, nics=(Nic(name="nic0"),))
    cloud: Any = SimpleNamespace()
    for wants in ([part, replace(WEB, cluster=other.name)], [replace(WEB, cluster=other.name), part], [part]):
        assert [*reading.read_seeds(cloud, wants, have).values()] == [cluster.id]


@pytest.mark.parametrize("cluster", [CLUSTER, OTHER])
def test_why_what_is_to_be_stopped_is_off(have: VmHave, cluster: Row) -> None:
    crashed = [SimpleNamespace(uuid=uuid, is_left=False, hangs=False) for uuid in have.domains]
    hypervisor = SimpleNamespace(crashed_domains=lambda: crashed)
    cloud: Any = SimpleNamespace(
        hypervisor=lambda _: hypervisor, on_each=lambda nodes, read: {node: read(node) for node in nodes}
    )
    wants = [Vm(name="web", cluster=cluster.name, power="stopped")]
    assert all(
        domain.has_crashed
        for domains in reading.read_crashed(cloud, wants, have).domains.values()
        for domain in domains
    )
    assert reading.read_crashed(cloud, [Vm(name="web", cluster=cluster.name)], have) is have
