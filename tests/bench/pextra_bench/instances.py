# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is declared and defined: the same instances for the module, for the loop and for raw libvirt."""

from __future__ import annotations

from typing import Any

MEMORY_MIB = 64
# What is named of each where it is to have many devices; without it an instance names none.
DEVICES: dict[str, Any] = {
    "graphics": {"type": "vnc"},
    "rng": {"model": "virtio", "source": "urandom"},
    "sound": {"model": "ich9"},
    "tpm": {"model": "tpm-crb"},
    "video": {"model": "virtio"},
    "watchdog": {"model": "i6300esb", "action": "restart"},
}


def declare(count: int, *, state: str = "present", devices: bool = False) -> list[dict[str, Any]]:
    """Stopped instances, as options of pextra_vm."""
    return [
        {
            "name": f"vm-{number}",
            "memory": f"{MEMORY_MIB} MiB",
            "power": "stopped",
            "autostart": False,
            "state": state,
            **(DEVICES if devices else {}),
        }
        for number in range(1, count + 1)
    ]


def render(count: int, *, devices: bool = False) -> list[dict[str, str]]:
    """The same as the XML that the module itself writes, for the peers."""
    from ansible_collections.pextra.cloud.plugins.module_utils._model import ids as _ids
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import DomainModel
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import render_domain
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import Labels

    rendered = []
    for number in range(1, count + 1):
        instance_id = _ids.new_id("instance")
        labels = Labels(id=instance_id, cluster=_ids.new_id("cluster"), organization=_ids.new_id("organization"))
        model = DomainModel(
            name=f"vm-{number}", uuid=_ids.uuid_of(instance_id), memory=MEMORY_MIB, vcpus=1, disks=(),
            interfaces=(), description=None, labels=labels, further=DEVICES if devices else {},
        )  # fmt: skip
        rendered.append({"name": model.name, "xml": render_domain(model, "qemu")})
    return rendered
