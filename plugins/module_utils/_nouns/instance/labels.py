# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of an instance: what the metadata of its domain say, for which libvirt has no field. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..._model.ids import mac_of

URI = "urn:pextra:instance:1"


@dataclass(frozen=True, kw_only=True)
class VolumeLabel:
    """What a volume is to the instance. size is MiB. unit: of an iSCSI target, whose size is not ours to know.

    filesystem, mountpoint: what the guest is told of it, empty for nothing.
    path: of one that was adopted, as its disk has it. Its name in the pool is the one that it had.
    """

    name: str
    pool: str
    size: int = 0
    unit: str | None = None
    filesystem: str = ""
    mountpoint: str = ""
    path: str | None = None


@dataclass(frozen=True, kw_only=True)
class CdromLabel:
    """A drive of its own, and the image in it, read from a pool; None for nothing."""

    name: str
    image: str | None = None
    pool: str | None = None


@dataclass(frozen=True, kw_only=True)
class NicLabel:
    """What a NIC is called, and the addresses that cloud-init gives it. NICs have the order of their labels.

    mac: where it was chosen, of an instance that was adopted, of which other NICs may be nobody's of ours, and of a
    virtual function. Of that also the NIC of the node whose it is, and the port group and the vSwitch that it takes the
    place of.
    """

    name: str
    addresses: tuple[str, ...] = ()
    mac: str | None = None
    sr_iov: str = ""
    port_group: str = ""
    vswitch: str = ""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What libvirt has no field for. `image` is the name, which stays when the image is renewed.

    adopted: its domain was there before. Of its NICs those are ours that the labels name.
    """

    id: str
    cluster: str
    organization: str
    image: str | None = None
    root_mode: str | None = None
    anti_affinity: str | None = None
    seed: str | None = None
    # A digest of what of that is done once: another one, and cloud-init does all of it again.
    once: str | None = None
    # When it was made, as lifetimes.py writes it; not known of one that was there before, or made by older versions.
    created: str | None = None
    tags: tuple[str, ...] = ()
    # What it was made of in a document, by name: to group by, and no more.
    flavor: str | None = None
    profiles: tuple[str, ...] = ()
    protected: bool = False
    adopted: bool = False
    volumes: tuple[VolumeLabel, ...] = ()
    nics: tuple[NicLabel, ...] = ()
    cdroms: tuple[CdromLabel, ...] = ()

    @property
    def addresses(self) -> tuple[tuple[str, ...], ...]:
        return tuple(nic.addresses for nic in self.nics)

    @property
    def root(self) -> VolumeLabel | None:
        return next((volume for volume in self.volumes if volume.name == "root"), None)

    def claims_nic(self, mac: str) -> bool:
        return not self.adopted or any(nic.mac == mac for nic in self.nics)


def usual_mac(instance_id: str, name: str) -> str:
    """Return the MAC of a NIC of which no other one is said: of the number alone, if it is named by its order."""
    number = name.removeprefix("nic")
    is_number = name != number and number.isdecimal() and number == str(int(number))
    return mac_of(instance_id, number if is_number else name)


def parse_labels(element: Any) -> Labels:
    return Labels(
        id=element.get("id", ""),
        cluster=element.get("cluster", ""),
        organization=element.get("organization", ""),
        image=element.get("image"),
        root_mode=element.get("root_mode"),
        anti_affinity=element.get("anti_affinity"),
        seed=element.get("seed"),
        once=element.get("once"),
        created=element.get("created"),
        protected=element.get("protected") == "true",
        adopted=element.get("adopted") == "true",
        flavor=element.get("flavor"),
        profiles=tuple(one.get("name", "") for one in element.findall(f"{{{URI}}}profile")),
        tags=tuple(tag.get("name", "") for tag in element.findall(f"{{{URI}}}tag")),
        volumes=tuple(
            VolumeLabel(
                name=volume.get("name", ""),
                pool=volume.get("pool", ""),
                # What was written there by hand is written anew, as what it is not.
                size=int(text) if (text := volume.get("size", "0")).isdecimal() else 0,
                unit=volume.get("unit"),
                filesystem=volume.get("filesystem", ""),
                mountpoint=volume.get("mountpoint", ""),
                path=volume.get("path"),
            )
            for volume in element.findall(f"{{{URI}}}volume")
        ),
        nics=tuple(
            NicLabel(
                name=nic.get("name") or f"nic{index}",
                addresses=tuple(nic.get("addresses", "").split()),
                mac=nic.get("mac"),
                sr_iov=nic.get("sr_iov", ""),
                port_group=nic.get("port_group", ""),
                vswitch=nic.get("vswitch", ""),
            )
            for index, nic in enumerate(element.findall(f"{{{URI}}}nic"))
        ),
        cdroms=tuple(
            CdromLabel(name=drive.get("name", ""), image=drive.get("image"), pool=drive.get("pool"))
            for drive in element.findall(f"{{{URI}}}cdrom")
        ),
    )
