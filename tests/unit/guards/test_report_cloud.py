# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud that tests of the page are made with is told of by the names that modules use, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from guards.project import returned
from report_cloud import make_troubled

ANSWERS = make_troubled()
# What stands under this name of the answers: which module returns it, and under which name.
OF_MODULES = {
    "check": ("pextra_deployment", ""),
    "images": ("pextra_image_info", "images"),
    "events": ("pextra_registry_info", "events"),
}
# What Ansible documents of every module.
OF_ANSIBLE: dict[str, Any] = {"diff": {}}
# Each noun of the cloud is told of as its own module tells.
NOUNS = {
    "organizations": ("pextra_tenant_info", "tenants"),
    "datacenters": ("pextra_datacenter_info", "datacenters"),
    "clusters": ("pextra_cluster_info", "clusters"),
    "nodes": ("pextra_node_info", "nodes"),
    "pools": ("pextra_pool_info", "pools"),
    "vswitches": ("pextra_vswitch_info", "vswitches"),
    "instances": ("pextra_vm_info", "vms"),
    "volumes": ("pextra_volume_info", "volumes"),
}


def find_invented(given: Any, documented: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the keys that no module returns. documented: as RETURN, by name."""
    for element in given if isinstance(given, list) else [given]:
        for key, value in element.items():
            if key not in documented:
                yield f"{path}.{key}"
            elif documented[key].get("contains") and value:
                yield from find_invented(value, documented[key]["contains"], f"{path}.{key}")


@pytest.mark.parametrize("name", [*OF_MODULES, *NOUNS])
def test_nothing_is_told_that_no_module_tells(name: str) -> None:
    given = (ANSWERS.cloud or {})[name] if name in NOUNS else getattr(ANSWERS, name)
    module, key = {**OF_MODULES, **NOUNS}[name]
    documented = returned(module)[key]["contains"] if key else {**returned(module), **OF_ANSIBLE}
    assert set(find_invented(given, documented, name)) == set()
