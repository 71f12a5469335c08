# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a piece of work is done to: its node's hypervisor, and its domain's UUID there."""

from __future__ import annotations

from ..._cloud import Cloud
from ..._doors.libvirt.hypervisor import Hypervisor
from ..._model.ids import uuid_of
from ..._model.plan import Work


def node_of(cloud: Cloud, work: Work) -> Hypervisor:
    return cloud.hypervisor(node_name_of(work))


def node_name_of(work: Work) -> str:
    if work.node is None:
        raise ValueError(f"{work.label} is planned on no node")
    return work.node


def domain_of(work: Work) -> str:
    if work.id is None:
        raise ValueError(f"{work.label} is planned without an identifier")
    return uuid_of(work.id)


def clear_switch(cloud: Cloud, work: Work) -> None:
    """See that no NIC gets the port of another one that is no more, with its VLAN."""
    cloud.switch(node_name_of(work)).remove_lost_ports(work.label)
