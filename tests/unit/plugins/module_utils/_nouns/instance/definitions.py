# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions as people make them by hand, put together from fragments, with the values that we manage left open.

An edit is right if it makes of a definition with one value the same definition with the other, to the last comment.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition import (
    Disk,
    DomainModel,
    Interface,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.definition_writing import render_labels
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.labels import URI, Labels

ID = "inst-qthm_iLrflJ_DtSS1l4Gx"


@dataclass(frozen=True, kw_only=True)
class Values:
    """What is managed of a definition. memory is MiB."""

    memory: int = 1024
    vcpus: int = 2
    port_group: str = "Production"
    offload: bool = True
    description: str = "As it was"
    tags: tuple[str, ...] = ("a",)
    format: str = "qcow2"
    has_second_nic: bool = False


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Which fragments a definition is made of."""

    metadata: str
    vcpus: str
    cpu: str
    memory: str
    devices: str
    nic: str
    prefix: str

    @property
    def id(self) -> str:
        words = (self.metadata, self.vcpus, self.cpu, self.memory, self.devices, self.nic, self.prefix)
        return "-".join(words)

    @property
    def has_cell(self) -> bool:
        return self.cpu in ("cell", "modules")


METADATA = {
    "bare": ("", ""),
    "comments": ("<!-- ours, hands off & < > -->", "<?keep me='so'?>"),
    "others": (
        '<acme:owner xmlns:acme="http://acme.example/1" acme:mail="x@acme.example"><acme:name>A &amp; B</acme:name>'
        "<!-- of acme --></acme:owner>",
        '<app xmlns="urn:app"><plain xmlns=""/><script>if (a &lt; b) c();</script></app>',
    ),
    "nested": (
        '<n0:a xmlns:n0="urn:zero" xmlns:n1="urn:one"><n1:b n0:c="1"/><n0:d><?pi?></n0:d></n0:a>',
        '<libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">'
        '<libosinfo:os id="http://debian.org/debian/12"/></libosinfo:libosinfo>',
    ),
}
DEVICES = {
    "none": "",
    "nics": (
        '<interface type="hostdev" managed="yes"><mac address="52:00:00:00:01:01"/><source><address type="pci" '
        'domain="0x0000" bus="0x05" slot="0x10" function="0x2"/></source></interface>'
        '<interface type="direct"><mac address="52:00:00:00:01:02"/><source dev="eth0" mode="bridge"/></interface>'
        '<interface type="vhostuser"><mac address="52:00:00:00:01:03"/><source type="unix" path="/run/v.sock" '
        'mode="server"/><model type="virtio"/></interface>'
        '<interface type="vdpa"><mac address="52:00:00:00:01:04"/><source dev="/dev/vhost-vdpa-0"/></interface>'
        '<interface type="user"><mac address="52:00:00:00:01:05"/><model type="virtio"/></interface>'
    ),
    "disks": (
        '<disk type="file" device="cdrom"><target dev="sda" bus="sata"/><readonly/></disk>'
        '<disk type="block" device="disk"><driver name="qemu" type="raw" io="native"/><source dev="/dev/mapper/x">'
        '<seclabel model="dac" relabel="no"/></source><target dev="vdc" bus="virtio"/><iotune>'
        "<total_iops_sec>100</total_iops_sec><group_name>shared</group_name></iotune></disk>"
        '<disk type="network" device="disk"><driver name="qemu" type="raw"/><source protocol="rbd" name="other/x">'
        '<host name="192.0.2.1" port="3300"/></source><target dev="vdd" bus="virtio"/></disk>'
    ),
    "more": (
        '<watchdog model="i6300esb" action="reset"/><tpm model="tpm-crb"><backend type="emulator" version="2.0"/></tpm>'
        '<rng model="virtio"><backend model="random">/dev/random</backend></rng>'
        '<filesystem type="mount" accessmode="passthrough"><source dir="/srv"/><target dir="srv"/></filesystem>'
    ),
}
NICS = {
    "plain": "",
    "rich": (
        '<bandwidth><inbound average="1000" peak="5000"/></bandwidth><filterref filter="clean-traffic">'
        '<parameter name="IP" value="192.0.2.7"/></filterref><mtu size="1400"/><link state="up"/>'
    ),
    "own": '<vlan><tag id="7"/></vlan><boot order="2"/><alias name="ua-first"/>',
}
PREFIXES = ("pextra", "p", "")


def kinds() -> Iterator[Kind]:
    """Yield every kind of definition that hangs together."""
    for place, (metadata, vcpus, cpu, memory, devices, nic) in enumerate(
        itertools.product(
            METADATA,
            ("plain", "room", "each"),
            ("none", "topology", "cell", "modules", "cells"),
            ("mib", "kib"),
            DEVICES,
            NICS,
        )
    ):
        # Every pair of fragments is met many times over in a third of them.
        if place % 3 == 0 or devices == "nics":
            yield Kind(
                metadata=metadata,
                vcpus=vcpus,
                cpu=cpu,
                memory=memory,
                devices=devices,
                nic=nic,
                prefix=PREFIXES[place // 3 % 3],
            )


def model_of(values: Values) -> DomainModel:
    """Return the model of a definition with these values."""
    nics = [Interface(mac="52:00:00:00:00:01", network="sv1", port_group=values.port_group, offload=values.offload)]
    if values.has_second_nic:
        nics.append(Interface(mac="52:00:00:00:00:02", network="sv1", port_group="DMZ", offload=values.offload))
    return DomainModel(
        name="web",
        uuid=uuid_of(ID),
        memory=values.memory,
        vcpus=values.vcpus,
        disks=(Disk(target="vda", path=f"/srv/web.{ID}.root.qcow2", serial="root", format=values.format),),
        interfaces=tuple(nics),
        description=values.description,
        labels=Labels(id=ID, cluster="cls-1", organization="org-1", tags=values.tags),
    )


def definition(kind: Kind, values: Values, *, was: Values | None = None) -> str:
    """Return a definition. was: the values that it was edited from, which show in what was not rewritten."""
    before = was or values
    first, last = METADATA[kind.metadata]
    is_named_anew = was is not None and was.tags != values.tags
    ours = _labels(values, "pextra" if is_named_anew else kind.prefix)
    attributes, room = _vcpus(kind, values.vcpus)
    each = ""
    if kind.vcpus == "each":
        each = f"<vcpus>{''.join(_vcpu(number, values.vcpus) for number in range(8))}</vcpus>"
    return (
        '<domain type="test"><name>web</name>'
        f"<uuid>{uuid_of(ID)}</uuid><description>{values.description}</description>"
        f"<metadata>{first}{ours}{last}</metadata>"
        f"{_memory(kind, values, before)}"
        f"<vcpu{attributes}>{room}</vcpu>{each}"
        '<os><type arch="x86_64">hvm</type></os>'
        f"{_cpu(kind, values, before)}"
        "<devices>"
        '<disk type="file" device="disk">'
        f'<driver name="qemu" type="{values.format}" cache="none" io="threads" queues="2"/>'
        f'<source file="/srv/web.{ID}.root.qcow2"><seclabel model="dac" relabel="no"/></source>'
        '<target dev="vda" bus="virtio"/><iotune><total_iops_sec>500</total_iops_sec><group_name>g</group_name>'
        "</iotune>"
        "<serial>root</serial></disk>"
        f"{_nic(kind, values)}"
        f"{DEVICES[kind.devices]}"
        f"{_modules(kind)}"
        f"{_second_nic(values)}"
        "</devices></domain>"
    )


def _labels(values: Values, prefix: str) -> str:
    text = render_labels(model_of(values).labels)
    if not prefix:
        return text
    text = text.replace(f'xmlns="{URI}"', f'xmlns:{prefix}="{URI}"')
    for tag in ("instance", "tag"):
        text = text.replace(f"<{tag} ", f"<{prefix}:{tag} ").replace(f"</{tag}>", f"</{prefix}:{tag}>")
    return text


def _memory(kind: Kind, values: Values, before: Values) -> str:
    odd = 512 if kind.memory == "kib" and values.memory == before.memory else 0
    size = f'<memory unit="KiB">{values.memory * 1024 + odd}</memory>'
    current = f'<currentMemory unit="KiB">{values.memory * 1024 + odd}</currentMemory>'
    if values.memory != before.memory:
        size = f'<memory unit="MiB">{values.memory}</memory>'
        current = f'<currentMemory unit="MiB">{values.memory}</currentMemory>'
    room = '<maxMemory slots="16" unit="KiB">16777216</maxMemory>' if kind.cpu == "modules" else ""
    return f"{room}{size}{current}"


def _vcpus(kind: Kind, vcpus: int) -> tuple[str, int]:
    if kind.vcpus == "plain" and kind.cpu == "none":
        return "", vcpus
    current = f' current="{vcpus}"' if vcpus != 8 else ""
    if kind.vcpus == "room":
        return f' placement="static" cpuset="0-3"{current}', 8
    return current, 8


def _vcpu(number: int, vcpus: int) -> str:
    enabled = "yes" if number < vcpus else "no"
    hotpluggable = "no" if number < 2 else "yes"
    return f'<vcpu id="{number}" enabled="{enabled}" hotpluggable="{hotpluggable}"/>'


def _cpu(kind: Kind, values: Values, before: Values) -> str:
    if kind.cpu == "none":
        return ""
    topology = '<topology sockets="2" dies="1" cores="4" threads="1"/>'
    if kind.cpu == "topology":
        return f'<cpu mode="host-model">{topology}</cpu>'
    odd = 512 if kind.memory == "kib" and before.memory == values.memory else 0
    inside = values.memory * 1024 + odd - (512 * 1024 if kind.cpu == "modules" else 0)
    if kind.cpu == "cells":
        half = inside // 2
        cells = (
            f'<cell id="0" cpus="0-3" memory="{half}" unit="KiB" memAccess="shared"/>'
            f'<cell id="1" cpus="4-7" memory="{inside - half}" unit="KiB"/>'
        )
    else:
        cells = f'<cell id="0" cpus="0-7" memory="{inside}" unit="KiB" memAccess="shared"/>'
    return f'<cpu mode="host-model">{topology}<numa>{cells}</numa></cpu>'


def _modules(kind: Kind) -> str:
    if kind.cpu != "modules":
        return ""
    return '<memory model="dimm"><target><size unit="KiB">524288</size><node>0</node></target></memory>'


def _driver(values: Values, driver: str) -> str:
    if values.offload:
        return f"<driver{driver}/>" if driver else ""
    host = "".join(f' {name}="off"' for name in ("csum", "gso", "tso4", "tso6", "ecn", "ufo"))
    guest = "".join(f' {name}="off"' for name in ("csum", "tso4", "tso6", "ecn", "ufo"))
    return f"<driver{driver}><host{host}/><guest{guest}/></driver>"


def _nic(kind: Kind, values: Values) -> str:
    driver = ' name="vhost" queues="4"' if kind.nic == "rich" else ""
    # Where a driver is not there it is written behind the rest.
    early, late = (_driver(values, driver), "") if driver else ("", _driver(values, driver))
    return (
        '<interface type="network"><mac address="52:00:00:00:00:01"/>'
        f'<source network="sv1" portgroup="{values.port_group}"/><model type="virtio"/>'
        f'{early}{NICS[kind.nic]}<address type="pci" domain="0x0000" bus="0x01" slot="0x00" function="0x0"/>'
        f"{late}</interface>"
    )


def _second_nic(values: Values) -> str:
    if not values.has_second_nic:
        return ""
    return (
        '<interface type="network"><mac address="52:00:00:00:00:02"/><source network="sv1" portgroup="DMZ"/>'
        f'<model type="virtio"/>{_driver(values, "")}</interface>'
    )
