# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment document for tests: correct as it stands, to be changed by each case."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._document.document import (
    Deployment,
    Inventory,
    read_deployment,
)
from ansible_collections.pextra.cloud.plugins.module_utils._document.hosts import InventoryHost
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake

FILES = {"/site/images/tiny.qcow2"}

VARIABLES: dict[str, Any] = {
    "pextra_organizations": [{"name": "acme"}],
    "pextra_datacenters": [{"name": "Montreal"}],
    "pextra_clusters": [{"name": "mtl-1"}],
    "pextra_pools": [{"name": "local"}, {"name": "shared", "path": "/srv/shared", "shared": True}],
    "pextra_vswitches": [{"name": "svswitch10", "uplinks": ["eth1", "eth2"]}],
    "pextra_port_groups": [{"name": "Production", "vlan": 42}, {"name": "DMZ", "vlan": 99}],
    "pextra_images": [{"name": "tiny", "source": "images/tiny.qcow2"}],
    "pextra_flavors": [{"name": "small", "memory": "96 MiB"}],
    "pextra_instances": [
        {
            "name": "db",
            "image": "tiny",
            "root": {"pool": "local", "size": "1 GiB"},
            "nics": [{"port_group": "Production", "addresses": ["172.20.0.5/24"]}],
        }
    ],
}
HOSTS: dict[str, dict[str, Any]] = {
    "node1": {"ansible_host": "10.91.0.11"},
    "node2": {"ansible_host": "10.91.0.12"},
    "node3": {"ansible_host": "10.91.0.13"},
}


def instance(name: str, **values: Any) -> dict[str, Any]:
    """An instance that collides with nothing."""
    return {"name": name, "image": "tiny", "root": {"pool": "local"}, **values}


def with_address(name: str, *addresses: str, port_group: str = "Production", **values: Any) -> dict[str, Any]:
    return instance(name, nics=[{"port_group": port_group, "addresses": list(addresses)}], **values)


def read(
    variables: Mapping[str, Any] | None = None,
    hosts: Mapping[str, Mapping[str, Any]] | None = None,
    coordinators: tuple[str, ...] = ("node1",),
    explain: str | None = None,
) -> Deployment:
    """Read the document with some variables changed. A variable that is None is not given."""
    merged = {**copy.deepcopy(VARIABLES), **(variables or {})}
    elements = merged.pop("pextra_instances", None)
    elements = [] if elements is None else elements
    mistakes = [] if isinstance(elements, list) else [Mistake("pextra_instances", "is not a list")]
    profiles = merged.get("pextra_profiles")
    merged["pextra_profiles"] = substitute(profiles, 1)
    given = {**HOSTS} if hosts is None else hosts
    deployment = read_deployment(
        Inventory(
            variables=merged,
            names=[name for name in merged if merged[name] is not None],
            hosts=[
                InventoryHost(
                    name=name,
                    variables={key: value for key, value in of_host.items() if key != "ansible_host"},
                    ansible_host=of_host.get("ansible_host"),
                )
                for name, of_host in given.items()
            ],
            coordinators=coordinators,
            instances=None if mistakes else len(elements),
            render_instance=lambda index, number: (substitute(elements[index], number), []),
            render_profile=(lambda index, number: (substitute(profiles[index], number), [])) if profiles else None,
            explain=() if explain is None else (explain,),
            directory="/site",
        ),
        lambda path: None if path in FILES else f'"{path}" does not exist on the controller',
    )
    return replace(deployment, mistakes=(*mistakes, *deployment.mistakes))


def substitute(value: Any, number: int) -> Any:
    """What Ansible's templates do to `{{ pextra_index }}`."""
    if isinstance(value, str):
        return value.replace("{{ pextra_index }}", str(number))
    if isinstance(value, dict):
        return {key: substitute(item, number) for key, item in value.items()}
    return [substitute(item, number) for item in value] if isinstance(value, list) else value


def told(deployment: Deployment) -> list[str]:
    return [str(mistake) for mistake in deployment.mistakes]
