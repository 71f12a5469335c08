# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules of what is one instance's alone on its node: devices, and numbers of sockets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..._fields.field import element_path
from ..._model.mistake import Mistake
from ..._nouns.instance.aspects.host_devices import EXACT
from ..._nouns.instance.spec import Vm
from ..elements import Declared


def find_node_device_mistakes(instances: Sequence[Declared[Vm]]) -> list[Mistake]:
    """instances: those of which the node, the devices and the socket are known. Those without a node may get others."""
    mistakes = []
    taken: dict[tuple[str | None, str, str], str] = {}
    for instance in instances:
        if instance.spec.state != "present" or not instance.spec.node:
            continue
        for path, device in _list_devices(instance):
            holder = taken.setdefault((instance.spec.cluster, instance.spec.node, device), instance.spec.name)
            if holder != instance.spec.name:
                problem = f"the {device} of {instance.spec.node} is given to {holder} too, and to one alone it can be"
                mistakes.append(Mistake(path, problem))
    return mistakes


def _list_devices(instance: Declared[Vm]) -> Iterator[tuple[str, str]]:
    for index, row in enumerate(instance.spec.further.get("host_devices") or ()):
        here = element_path(f"{instance.path}.host_devices", index, row)
        for kind in EXACT:
            if row.get(kind):
                yield f"{here}.{kind}", f"device {kind} {row[kind]}"
    number = (instance.spec.further.get("vsock") or {}).get("cid")
    if isinstance(number, int) and number > 0 and instance.spec.further["vsock"].get("model") != "none":
        yield f"{instance.path}.vsock.cid", f"socket {number}"
