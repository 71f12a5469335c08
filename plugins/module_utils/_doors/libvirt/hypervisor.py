# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rooms of the door to one node's libvirt."""

from __future__ import annotations

from .agent import Agents
from .containers import Containers
from .devices import Devices
from .host import Hosts
from .migration import Migrations
from .networks import Networks
from .pools import Pools
from .screens import Screens
from .secrets import Secrets
from .streams import Streams


class Hypervisor(Hosts, Agents, Containers, Screens, Devices, Migrations, Pools, Streams, Secrets, Networks):
    """An open connection to one node's libvirt. Open it with `connect`."""
