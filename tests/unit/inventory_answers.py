# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a coordinator, as its program makes them of what the instance noun tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.answer import make_answer, read_answer


def id_of(number: int) -> str:
    return f"inst-{number:A>21}"


def nic(*addresses: str, name: str | None = "nic0", port_group: str = "Production") -> dict[str, Any]:
    return {
        "name": name,
        "mac": "52:1f:3a:07:9c:41",
        "vswitch": "svswitch1",
        "port_group": port_group,
        "addresses": list(addresses),
    }


def told(number: int, name: str, **more: Any) -> dict[str, Any]:
    """An instance as `describe_instance` tells it, with what is in no answer: volumes."""
    return {
        "id": id_of(number),
        "uuid": uuid_of(id_of(number)),
        "name": name,
        "organization": "acme",
        "datacenter": "Montreal",
        "cluster": "mtl-1",
        "node": "node1",
        "power": "running",
        "vcpus": 2,
        "memory": 512,
        "image": "tiny",
        "autostart": True,
        "description": "",
        "tags": ["frontend"],
        "flavor": "small",
        "profiles": ["base", "web"],
        "nics": [nic(f"172.20.{number // 250}.{number % 250 + 1}/24")],
        "volumes": [{"name": "root", "pool": "local", "size": 1024, "unit": None}],
    } | more


def unknown(number: int, name: str, **more: Any) -> dict[str, Any]:
    """One whose node does not answer."""
    known = ("id", "uuid", "name", "organization", "datacenter", "cluster", "node")
    return {key: value for key, value in told(number, name).items() if key in known} | {"power": "unknown"} | more


def text_of(
    instances: Sequence[dict[str, Any]], unreachable: Sequence[Problem] = (), warnings: Sequence[str] = ()
) -> str:
    return json.dumps(make_answer(instances, unreachable, warnings))


def read(*instances: dict[str, Any]) -> Sequence[Any]:
    """As the controller has them."""
    return read_answer(text_of(instances)).instances
