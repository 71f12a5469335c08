# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What guests see of their network: TCP between nodes, and a NIC that changes its port group while they run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from .lab import GONE, Lab, Site, wait_until

SIZE = 10 * 1024**2
WORD = "pextra-data\n"
SERVER, CLIENT, MOVER = "tcp-server", "tcp-client", "mover"
SERVE = f"""#!/bin/sh
yes {WORD.strip()} | head -c {SIZE} >/run/blob
nc -ll -p 9000 -e /bin/cat /run/blob &
"""
FETCH = f"""#!/bin/sh
(
    until [ "$(wc -c </run/got 2>/dev/null || echo 0)" = {SIZE} ]; do
        nc 172.20.0.41 9000 </dev/null >/run/got 2>/dev/null
        sleep 1
    done
    echo "pextra-guest: fetched $(sha256sum </run/got)" >/dev/console
) &
"""


def instance(name: str, node: str, address: str, user_data: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "node": node,
        "memory": "128 MiB",
        "image": "tiny",
        "root": {"pool": "shared"},
        "nics": [{"port_group": "Production", "addresses": [f"{address}/24"], "gateway": "", "nameservers": []}],
        "cloud_init": {"hostname": name, "user_data": user_data},
        **more,
    }


@pytest.fixture
def guests(cloud: Site) -> Iterator[Site]:
    yield cloud
    absent = [{"name": name, "state": "absent"} for name in (SERVER, CLIENT, MOVER)]
    cloud.module("pextra_vm", vms=absent, force_stop=True, stop_timeout_s=2, remove_volumes=True, confirm="DESTROY")


def test_ten_megabytes_arrive_on_another_node_as_they_were_sent(lab: Lab, guests: Site) -> None:
    """A ping has always arrived: what is lost on a switch in user space is what has no checksum yet."""
    server = instance(SERVER, "node1", "172.20.0.41", SERVE)
    guests.module("pextra_vm", vms=[server, instance(CLIENT, "node2", "172.20.0.42", FETCH)])
    sent = (WORD * (SIZE // len(WORD) + 1)).encode()[:SIZE]
    fetched = re.compile(rf"fetched {hashlib.sha256(sent).hexdigest()}")
    wait_until("the client has all of it", lambda: fetched.search(lab.console(CLIENT)), timeout_s=120)


def pinged(lab: Lab, address: str) -> str:
    """Return how the last ping went."""
    lines = [line for line in lab.since_boot(MOVER).splitlines() if f"ping {address} " in line or " lost " in line]
    mine = [line for line in lines if address in line]
    return "ok" if mine and " ok " in mine[-1] else "lost"


def start_mover(lab: Lab, site: Site) -> None:
    """Its console's log may hold what another of its name has written."""
    boots = lab.console(MOVER).count("booting")
    site.module("pextra_vm", name=MOVER, power="running")
    wait_until("it boots", lambda: lab.console(MOVER).count("booting") > boots, timeout_s=90)
    wait_until("it hears Production", lambda: pinged(lab, "172.20.0.5") == "ok", timeout_s=90)


def test_a_running_nic_changes_its_port_group(lab: Lab, guests: Site) -> None:
    user_data = "## template: jinja\n#cloud-config\npextra_ping: [172.20.0.5, 172.20.0.66]\n"
    guests.module("pextra_vm", **instance(MOVER, "node3", "172.20.0.43", user_data, power="stopped"))
    # What is not ours, by hand: it has to outlive every change.
    lab.sh(
        "node3",
        f"virsh dumpxml --inactive {MOVER} >/root/mover.xml"
        ' && sed -i \'s#<model type=.virtio./>#<model type="virtio"/><mtu size="1400"/><link state="up"/>#\''
        " /root/mover.xml && virsh define /root/mover.xml && rm /root/mover.xml",
    )
    start_mover(lab, guests)
    assert pinged(lab, "172.20.0.66") == "lost"
    boots = lab.console(MOVER).count("booting")

    named = {"name": MOVER, "nics": [{"name": "nic0", "port_group": "DMZ"}]}
    check, real, again = guests.calls("pextra_vm", {**named, "check": True}, named, named)
    assert (check["changed"], real["changed"], again["changed"]) == (True, True, False)
    assert check["actions"] == real["actions"]
    wait_until("it hears the DMZ", lambda: pinged(lab, "172.20.0.66") == "ok", timeout_s=60)
    wait_until("it hears Production no more", lambda: pinged(lab, "172.20.0.5") == "lost", timeout_s=60)
    port = lab.sh("node3", f"virsh domiflist {MOVER} | awk 'NR > 2 && NF {{print $1}}'").strip()
    assert lab.exec("node3", "ovs-vsctl", "get", "Port", port, "tag").strip() == "99"
    for text in (
        lab.exec("node3", "virsh", "dumpxml", MOVER),
        lab.exec("node3", "virsh", "dumpxml", "--inactive", MOVER),
    ):
        assert "portgroup='DMZ'" in text
        assert "<mtu size='1400'/>" in text
        assert "<link state='up'/>" in text
        assert "csum='off'" in text
    assert lab.console(MOVER).count("booting") == boots, "it was restarted"
    guests.module("pextra_vm", name=MOVER, nics=[{"name": "nic0", "port_group": "Production"}])
    wait_until("it hears Production again", lambda: pinged(lab, "172.20.0.5") == "ok", timeout_s=60)


def nic_of_mover(lab: Lab, *options: str) -> str:
    xml = lab.exec("node3", "virsh", "dumpxml", *options, MOVER)
    found = re.search(r"<interface.*?</interface>", xml, re.DOTALL)
    assert found is not None, xml
    return found[0]


def place_of_mover(lab: Lab) -> tuple[str, str]:
    """Return the bridge and the VLAN of the running mover's NIC, as Open vSwitch has it."""
    port = re.search(r"<target dev='(\w+)'", nic_of_mover(lab))
    assert port is not None
    tag = lab.exec("node3", "ovs-vsctl", "get", "Port", port[1], "tag").strip()
    return lab.exec("node3", "ovs-vsctl", "iface-to-br", port[1]).strip(), tag


@pytest.fixture
def side(guests: Site) -> Iterator[Site]:
    """A second vSwitch, with a port group."""
    guests.module("pextra_vswitch", name="svswitch20", uplinks=[])
    guests.module("pextra_port_group", name="Side", vswitch="svswitch20", vlan=7)
    yield guests
    guests.module("pextra_vm", name=MOVER, **GONE)
    guests.module("pextra_port_group", name="Side", state="absent")
    guests.module("pextra_vswitch", name="svswitch20", state="absent")


@pytest.mark.long
def test_a_running_nic_goes_to_another_vswitch(lab: Lab, side: Site) -> None:
    """libvirt moves none from one bridge of Open vSwitch to another: it is unplugged, and plugged in again."""
    mover = instance(MOVER, "node3", "172.20.0.43", "## template: jinja\n#cloud-config\npextra_ping: [172.20.0.5]\n")
    side.module("pextra_vm", **mover, power="stopped")
    lab.sh(
        "node3",
        f'virsh dumpxml --inactive {MOVER} >/root/mover.xml && sed -i \'s#<model type=.virtio./>#<model type="virtio"/>'
        '<bandwidth><inbound average="50000"/></bandwidth><mtu size="1450"/>#\''
        " /root/mover.xml && virsh define /root/mover.xml && rm /root/mover.xml",
    )
    start_mover(lab, side)
    kept = ("average='50000'", "mtu size='1450'", "csum='off'")

    def must_be_in(group: str, network: str, vlan: str) -> None:
        assert place_of_mover(lab) == (network, vlan)
        for shown in (nic_of_mover(lab), nic_of_mover(lab, "--inactive")):
            assert f"network='{network}' portgroup='{group}'" in shown
            assert all(word in shown for word in kept), shown

    named = {"name": MOVER, "nics": [{"name": "nic0", "port_group": "Side"}]}
    real, again = side.calls("pextra_vm", named, named)
    assert (real["changed"], again["changed"]) == (True, False)
    must_be_in("Side", "svswitch20", "7")
    # What a killed run leaves: the definition has it, and the guest has none.
    lab.sh("node3", f"virsh detach-interface {MOVER} bridge --live && sleep 5")
    assert "<interface" not in lab.exec("node3", "virsh", "dumpxml", MOVER)
    real, again = side.calls("pextra_vm", named, named)
    assert (real["changed"], again["changed"]) == (True, False)
    must_be_in("Side", "svswitch20", "7")


def test_a_copy_made_by_hand_is_not_ours(lab: Lab, cloud: Site) -> None:
    home = lab.home("mail")
    lab.sh(
        home,
        "virsh dumpxml --inactive mail | sed -e '/<uuid>/d' -e 's#<name>mail</name>#<name>mail-copy</name>#'"
        " -e '/<mac /d' >/root/copy.xml && virsh define /root/copy.xml && rm /root/copy.xml",
    )
    try:
        before = lab.exec(home, "virsh", "dumpxml", "mail-copy")
        absent = {"name": "mail-copy", "state": "absent", "force_stop": True}
        (outcome,) = cloud.calls("pextra_vm", absent)
        assert outcome["changed"] is False
        assert any("copy made by hand" in text for text in outcome["warnings"]), outcome
        assert lab.domains(home)["mail"] == "running"
        cloud.run("--tags", "instances").must_change_nothing()
        assert lab.exec(home, "virsh", "dumpxml", "mail-copy") == before
    finally:
        lab.exec(home, "virsh", "undefine", "mail-copy")
