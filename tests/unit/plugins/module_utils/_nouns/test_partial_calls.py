# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call changes only what it names: for every noun of the tables but instances, which have a test of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._fields.field import REQUIRED, Field, Table
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.cluster import spec as cluster
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.datacenter import spec as datacenter
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import (
    plan_clusters,
    plan_datacenters,
    plan_organizations,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image import spec as image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.planning import plan_images
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node import spec as node
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.node.plan import plan_nodes
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.organization import spec as organization
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool import spec as pool
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.pool.plan.planning import plan_pools
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group import spec as port_group
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.port_group.plan import plan_port_groups
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.volume import spec as volume
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch import spec as vswitch
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vswitch.plan.planning import plan_vswitches
from hypothesis import given, settings
from hypothesis import strategies as st
from network_model import Model as NetworkModel
from volume_model import Model as VolumeModel

from .hierarchy import test_hierarchy as of_hierarchy
from .image import test_image as of_image
from .node import test_node as of_node
from .pool import test_pool as of_pool
from .pool import test_pool_sources as of_source

Planner = Callable[[Any], Plan]
TWO_OF_ALL = replace(
    of_hierarchy.ALL,
    datacenters=(
        of_hierarchy.MONTREAL,
        Row("dc-2", "datacenter", "Toronto", "", {"organization": "org-2", "latitude": 43.6, "longitude": -79.4}),
    ),
    clusters=(of_hierarchy.MTL, Row("cls-2", "cluster", "tor-1", "", {"datacenter": "dc-2", "secret": "hush"})),
)
NETWORK = NetworkModel()
for _wants in (
    [
        vswitch.Vswitch(name="svswitch1", uplinks=("eth1", "eth2"), bond_mode="balance-slb", nodes=("node1", "node3")),
        vswitch.Vswitch(name="svswitch2", description="Trunk"),
    ],
):
    NETWORK.apply(plan_vswitches(_wants, NETWORK.have))
NETWORK.apply(
    plan_port_groups(
        [port_group.PortGroup(name="DMZ", vswitch="svswitch1", vlan=42, description="Outside")], NETWORK.have
    )
)
VOLUMES = VolumeModel()
VOLUMES.add_guest("web", "node1")
VOLUMES.converge(
    volume.Volume(
        name="data",
        pool="shared",
        size=1024,
        cache="writeback",
        discard="ignore",
        attached_to="web",
        limits=volume.Limits(iops=500, bandwidth_read=10),
        description="Books",
    )
)
RAW = replace(
    of_image.IMAGE,
    attributes={**of_image.IMAGE.attributes, "format": "raw", "retention": 2, "virtual_size": 100 * 1024**3},
)
IN_SHARED = replace(RAW, attributes={**RAW.attributes, "copies": [f"{of_image.SHARED.id}/"]})


@dataclass(frozen=True)
class Case:
    """What is there, by its name; values: another value of each option that can change, and what it changes."""

    name: str
    table: Table
    make: Callable[..., Any]
    plan: Planner
    values: Mapping[str, tuple[Any, str]]


CASES = {
    "tenant": Case(
        "umbrella",
        organization.FIELDS,
        organization.Organization,
        lambda want: plan_organizations([want], TWO_OF_ALL),
        {"description": ("x", "description")},
    ),
    "datacenter": Case(
        "Toronto",
        datacenter.FIELDS,
        datacenter.Datacenter,
        lambda want: plan_datacenters([want], TWO_OF_ALL),
        {
            "description": ("x", "description"),
            "organization": ("acme", "organization"),
            "location": ({"latitude": 1, "longitude": 2}, "l"),
        },
    ),
    "cluster": Case(
        "tor-1",
        cluster.FIELDS,
        cluster.Cluster,
        lambda want: plan_clusters([want], TWO_OF_ALL, of_hierarchy.secret),
        {
            "description": ("x", "description"),
            "datacenter": ("Montreal", "datacenter"),
            "vcpus_per_thread": (8, "vcpus_per_thread"),
            "vcpus_per_thread_warn": (2.5, "vcpus_per_thread_warn"),
            "resource_pools": ([{"name": "gpus", "pci_model": "10de:2204"}], "resource_pools"),
        },
    ),
    "node": Case(
        "node1",
        node.FIELDS,
        node.Node,
        lambda want: plan_nodes([want], of_node.JOINED, check_key=of_node.opens),
        {
            "description": ("x", "description"),
            "virt_type": ("kvm", "virt_type"),
            "migration_address": ("10.92.0.11", "migration_address"),
            "containers": (True, "containers"),
            "shared_directories": (["/srv/media"], "shared_directories"),
            "architectures": (["aarch64"], "architectures"),
            "memory_reserved": ("1 GiB", "memory_reserved"),
        },
    ),
    "vswitch": Case(
        "svswitch1",
        vswitch.FIELDS,
        vswitch.Vswitch,
        lambda want: plan_vswitches([want], NETWORK.have),
        {
            "uplinks": (["eth3"], ""),
            "bond_mode": ("active-backup", "bond_mode"),
            "nodes": (["node1"], ""),
            "description": ("x", "description"),
        },
    ),
    "port_group": Case(
        "DMZ",
        port_group.FIELDS,
        port_group.PortGroup,
        lambda want: plan_port_groups([want], NETWORK.have),
        {"vlan": (0, "vlan"), "description": ("x", "description"), "vswitch": ("svswitch2", "vswitch")},
    ),
    "pool": Case(
        "local",
        pool.FIELDS,
        pool.Pool,
        lambda want: plan_pools([want], of_pool.converged(on=of_pool.NODES[:2])),
        {"nodes": (["node1"], "nodes"), "description": ("x", "description"), "protected": (True, "protected")},
    ),
    "image": Case(
        "tiny",
        image.FIELDS,
        image.Image,
        lambda want: plan_images([want], of_image.have(IN_SHARED)),
        {
            "architecture": ("aarch64", "architecture"),
            "pools": (["local", "shared"], "pools"),
            "retention": (3, "retention"),
            "protected": (True, "protected"),
            "description": ("x", "description"),
        },
    ),
    "volume": Case(
        "data",
        volume.FIELDS,
        volume.make_volume,
        VOLUMES.plan,
        {
            "size": ("2 GiB", "size"),
            "cache": ("none", "cache"),
            "discard": ("unmap", "discard"),
            "limits": ({"iops": 0}, "limits.iops"),
            "description": ("x", "description"),
            "attached_to": ("", "attached_to"),
            "protected": (True, "protected"),
        },
    ),
}
# Options that name the resource itself, that say how a new one begins, or by which a file is had and looked at.
OF_NOTHING = {
    "name",
    "adopt",
    "kind",
    "former_name",
    "state",
    "cluster",
    "sha256",
    "source",
    "signature",
    "signing_key",
    "checksums",
    "mirrors",
}
OF_NOTHING |= {"format", "max_size", "type", "path", "shared", "netfs", "iscsi", "rbd", "address", "pool", "node"}
OF_NOTHING |= {"renew", "provisioning", "clone_of", "clone_mode", "import_from", "grow_by"}


def planned(case: Case, named: Mapping[str, Any]) -> Plan:
    spec, mistakes = parse_spec(case.table, case.make, {"name": case.name, **named}, "")
    assert mistakes == []
    plan = case.plan(spec)
    assert (plan.refusals, plan.failures) == ((), ())
    return plan


def fields(plan: Plan) -> set[str]:
    return {change.field for work in plan.effective for change in (*work.changes, *work.pending)}


@pytest.mark.parametrize("noun", CASES)
def test_every_option_is_here(noun: str) -> None:
    assert set(CASES[noun].table) <= set(CASES[noun].values) | OF_NOTHING


@pytest.mark.parametrize("noun", CASES)
def test_a_call_that_names_nothing_changes_nothing(noun: str) -> None:
    assert planned(CASES[noun], {}).is_empty


@pytest.mark.parametrize(("noun", "option"), [(noun, option) for noun, case in CASES.items() for option in case.values])
def test_a_call_that_names_one_option_changes_nothing_else(noun: str, option: str) -> None:
    case = CASES[noun]
    value, field = case.values[option]
    plan = planned(case, {option: value})
    assert not plan.is_empty
    others = {word for name, (_, word) in case.values.items() if name != option and word and word != field}
    assert not others & fields(plan)
    if field:
        assert any(one.startswith(field) for one in fields(plan))


def fields_of(table: Table) -> list[Field]:
    """Return the fields of a table, and of the tables in it."""
    found = list(table.values())
    for field in table.values():
        for inner in (field.table, field.element.table if field.element else None):
            found += fields_of(inner) if inner else []
    return found


@pytest.mark.parametrize("noun", CASES)
def test_no_option_means_something_where_it_is_not_said(noun: str) -> None:
    """What a new one gets is `create`; what a call means by saying nothing is nothing."""
    assert [field.help for field in fields_of(CASES[noun].table) if field.default is not None] == ["Whether it exists."]


@pytest.mark.parametrize("spec", of_source.WANTS, ids=lambda spec: spec.type)
def test_a_pool_of_any_type_keeps_what_a_call_does_not_name(spec: pool.Pool) -> None:
    assert plan_pools([pool.Pool(name="one")], of_source.converged(spec)).is_empty
    for option, table in (("netfs", pool.NETFS), ("iscsi", pool.ISCSI), ("rbd", pool.RBD)):
        source = getattr(spec, option)
        for key in table if source is not None else ():
            if source[key] is not None:
                named = pool.Pool(name="one", **{option: {key: source[key]}})
                assert plan_pools([named], of_source.converged(spec)).is_empty, key


def test_a_new_pool_says_what_is_missing() -> None:
    (refusal,) = plan_pools([pool.Pool(name="one", type="iscsi", iscsi={"host": "a"})], of_source.EMPTY).refusals
    assert refusal.what.startswith("iscsi.target is missing")
    assert pool.ISCSI["target"].create is REQUIRED


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["node1", "node2", "node3"]), unique=True, min_size=1),
    st.sampled_from(["active-backup", "balance-slb"]),
    st.lists(st.sampled_from(["eth1", "eth2", "eth3"]), unique=True),
    st.sampled_from([None, "Trunk"]),
    st.integers(0, 4094),
)
def test_whatever_network_is_there(
    nodes: list[str], bond_mode: str, uplinks: list[str], description: str | None, vlan: int
) -> None:
    model = NetworkModel()
    want = vswitch.Vswitch(
        name="svswitch1", nodes=tuple(nodes), bond_mode=bond_mode, uplinks=tuple(uplinks), description=description
    )
    model.apply(plan_vswitches([want], model.have))
    model.apply(plan_port_groups([port_group.PortGroup(name="DMZ", vlan=vlan)], model.have))
    assert plan_vswitches([vswitch.Vswitch(name="svswitch1")], model.have).is_empty
    assert plan_port_groups([port_group.PortGroup(name="DMZ")], model.have).is_empty
    plan = plan_vswitches([vswitch.Vswitch(name="svswitch1", description="other")], model.have)
    assert {one for one in fields(plan) if not one.startswith("labels.")} == {"description"}


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from(["iops", "bandwidth"]), st.integers(1, 1000)),
    st.sampled_from(["none", "writeback"]),
    st.sampled_from(sorted(volume.LIMITS)),
)
def test_whatever_limits_are_there(limits: dict[str, int], cache: str, named: str) -> None:
    model = VolumeModel()
    there = volume.Volume(name="data", pool="shared", size=64, cache=cache, limits=volume.Limits(**limits))
    model.converge(there)
    assert model.plan(volume.Volume(name="data", limits=volume.Limits())).is_empty
    plan = model.plan(volume.Volume(name="data", limits=volume.Limits(**{named: 0})))
    assert fields(plan) == ({f"limits.{named}"} if named in limits else set())
