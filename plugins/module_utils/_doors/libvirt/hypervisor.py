"""All rooms of the door to one node's libvirt."""

from __future__ import annotations

from .devices import Devices
from .host import Hosts
from .migration import Migrations
from .networks import Networks
from .pools import Pools
from .secrets import Secrets
from .streams import Streams


class Hypervisor(Hosts, Devices, Migrations, Pools, Streams, Secrets, Networks):
    """An open connection to one node's libvirt. Open it with `connect`."""
