# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The document as it is handed on: plain and complete."""

from __future__ import annotations

from typing import Any

from .._fields.field import render
from .._model.mistake import Mistake
from .._nouns.cluster import spec as cluster
from .._nouns.datacenter import spec as datacenter
from .._nouns.drive.spec import render_disk_set
from .._nouns.image import spec as image
from .._nouns.instance import spec as vm
from .._nouns.node import spec as node
from .._nouns.organization import spec as organization
from .._nouns.pool import spec as pool
from .._nouns.port_group import spec as port_group
from .._nouns.volume import spec as volume
from .._nouns.vswitch import spec as vswitch
from .elements import Elements


def render_nothing(_index: int, _number: int) -> tuple[None, list[Mistake]]:
    return None, []


def render_document(elements: Elements, deployment_name: str | None) -> dict[str, Any]:
    return {
        "deployment_name": deployment_name,
        "organizations": [render(organization.FIELDS, element.spec) for element in elements.organizations],
        "datacenters": [render(datacenter.FIELDS, element.spec) for element in elements.datacenters],
        "clusters": [render(cluster.FIELDS, element.spec) for element in elements.clusters],
        "nodes": [render(node.FIELDS, element.spec) for element in elements.nodes],
        "disks": {
            name: [render_disk_set(one) for one in host.disks] for name, host in elements.hosts.items() if host.disks
        },
        "memory": {name: host.memory_mib for name, host in elements.hosts.items() if host.memory_mib is not None},
        "pools": [render(pool.FIELDS, element.spec) for element in elements.pools],
        "vswitches": [render(vswitch.FIELDS, element.spec) for element in elements.vswitches],
        "port_groups": [render(port_group.FIELDS, element.spec) for element in elements.port_groups],
        "images": [render(image.FIELDS, element.spec) for element in elements.images],
        "instances": [render(vm.FIELDS, element.spec) for element in elements.instances],
        "volumes": [render(volume.DECLARED, element.spec) for element in elements.volumes],
    }
