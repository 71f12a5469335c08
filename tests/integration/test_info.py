# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that read return what is declared, by name and by identifier, in check mode too, and change nothing."""

from __future__ import annotations

from typing import Any

import pytest

from .lab import Site

# Module: (what it returns, the key of the document).
READERS = {
    "pextra_tenant_info": ("tenants", "organizations"),
    "pextra_datacenter_info": ("datacenters", "datacenters"),
    "pextra_cluster_info": ("clusters", "clusters"),
    "pextra_node_info": ("nodes", "nodes"),
    "pextra_pool_info": ("pools", "pools"),
    "pextra_image_info": ("images", "images"),
    "pextra_vswitch_info": ("vswitches", "vswitches"),
    "pextra_port_group_info": ("port_groups", "port_groups"),
    "pextra_vm_info": ("vms", "instances"),
}
SECRETS = {"secret", "clustering_key", "user_data"}


@pytest.mark.parametrize("module", READERS)
def test_reads_what_is_declared(cloud: Site, module: str) -> None:
    plural, key = READERS[module]
    declared = {item["name"] for item in cloud.document()[key]}
    fqcn = f"pextra.cloud.{module}"
    one = sorted(declared)[0]
    everything, checked, by_name, nothing = cloud.play(
        [
            {fqcn: {}},
            {fqcn: {}, "check_mode": True},
            {fqcn: {"names": [one]}},
            {fqcn: {"names": ["nobody"]}},
        ]
    )
    assert declared <= {item["name"] for item in everything[plural]}
    assert [item["name"] for item in by_name[plural]] == [one]
    assert nothing[plural] == []
    (by_id,) = cloud.play([{fqcn: {"names": [by_name[plural][0]["id"]]}}])
    assert [item["name"] for item in by_id[plural]] == [one]
    for outcome in (everything, checked, by_name, nothing, by_id):
        assert not outcome["changed"]
        assert outcome["unreachable_nodes"] == []
    assert {item["id"] for item in checked[plural]} == {item["id"] for item in everything[plural]}
    assert SECRETS.isdisjoint(keys_in(everything[plural]))


def test_what_instances_use_is_told(cloud: Site) -> None:
    figures = {one["name"]: one["figures"] for one in cloud.module("pextra_vm_info", figures=True)["vms"]}
    assert figures["archive"] is None, "it does not run"
    db = figures["db"]
    assert db["cpu_time_s"] > 0
    assert (db["memory_given"], db["memory_on_node"] > 50) == (128, True)
    assert {disk["name"]: disk["read_bytes"] > 0 for disk in db["disks"]} == {"root": True, "data": True, "seed": True}
    assert len(db["nics"]) == 1
    assert db["nics"][0]["sent_bytes"] + db["nics"][0]["received_bytes"] > 0


def test_since_when_instances_are_there_and_run(cloud: Site) -> None:
    told = {one["name"]: one for one in cloud.module("pextra_vm_info", guests=True)["vms"]}
    db, archive = told["db"], told["archive"]
    assert db["created"] <= db["started"]
    assert 0 <= db["uptime_s"] < 24 * 3600
    assert (archive["created"] is None, archive["started"], archive["uptime_s"]) == (False, None, None)
    # The lab's small guest has no agent.
    assert (db["guest_interfaces"], archive["guest_interfaces"]) == (None, None)


def test_where_values_of_instances_come_from_is_told(cloud: Site) -> None:
    declared = {one["name"]: one for one in cloud.document()["instances"]}
    told = {one["name"]: one["effective"] for one in cloud.module("pextra_vm_info", effective=True)["vms"]}
    assert told.keys() >= declared.keys()
    for name, one in declared.items():
        values = {value["path"]: (value["value"], value["source"]) for value in told[name]}
        assert values["name"] == (name, "instance")
        assert values["memory"][0] == one["memory"]


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys_in(inner)}
    if isinstance(value, list):
        return {key for inner in value for key in keys_in(inner)}
    return set()
