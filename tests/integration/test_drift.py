# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is changed by hand is named exactly, and mended exactly."""

from __future__ import annotations

import re

from .lab import Lab, Site, wait_until

_HEADING = re.compile(r"^\+\+\+ after: (.+)$", re.MULTILINE)


def headings(output: str) -> set[str]:
    """Return what a diff speaks of."""
    return set(_HEADING.findall(output))


def test_drift_is_named_and_mended_exactly(lab: Lab, cloud: Site) -> None:
    cloud.run().must_change_nothing()
    home = {name: lab.home(name) for name in ("web-1", "web-2", "web-3", "db", "mail")}

    lab.exec(home["web-1"], "virsh", "destroy", "web-1")
    port = lab.sh(home["web-2"], "virsh domiflist web-2 | awk 'NR > 2 && NF {print $1}'").strip()
    lab.exec(home["web-2"], "ovs-vsctl", "set", "Port", port, "tag=99")
    # A pool that no running guest uses on that node may go: undefining never touches what is in it.
    lab.sh("node3", "virsh pool-destroy local && virsh pool-undefine local")
    lab.exec(home["db"], "virsh", "setmaxmem", "db", "192M", "--config")

    check = cloud.run("--check", "--diff").must_succeed()
    named = headings(check.output)
    expected = {f"instance web-1 on {home['web-1']}", f"instance db on {home['db']}"}
    assert expected <= named
    rest = named - expected
    assert any("Production" in item and home["web-2"] in item for item in rest), rest
    assert any("pool local" in item and "node3" in item for item in rest), rest
    assert all("Production" in item or "pool local" in item for item in rest), rest
    assert "web-2" in check.output
    assert lab.domains(home["web-1"])["web-1"] == "shut off", "check mode changed something"
    assert lab.exec(home["web-2"], "ovs-vsctl", "get", "Port", port, "tag").strip() == "99"

    run = cloud.run("--diff").must_succeed()
    assert headings(run.output) == named
    assert lab.domains(home["web-1"])["web-1"] == "running"
    assert lab.exec(home["web-2"], "ovs-vsctl", "get", "Port", port, "tag").strip() == "42"
    assert "local" in lab.exec("node3", "virsh", "pool-list")
    declared = next(item for item in cloud.declared() if item["name"] == "db")
    assert f"<memory unit='KiB'>{_mib(declared['memory']) * 1024}</memory>" in lab.exec(
        home["db"], "virsh", "dumpxml", "--inactive", "db"
    )
    cloud.run().must_change_nothing()


def test_an_instance_undefined_by_hand_comes_back_with_its_data(lab: Lab, cloud: Site) -> None:
    node = lab.home("db")
    before = lab.exec(node, "virsh", "domuuid", "db")
    listing = "ls -i /var/lib/pextra/pools/local | grep db.inst- | grep -v seed"
    volumes = lab.sh(node, listing)
    lab.sh(node, "virsh destroy db; virsh undefine db")
    cloud.run("--tags", "instances").must_succeed()
    assert lab.home("db") == node
    assert lab.exec(node, "virsh", "domuuid", "db") == before
    assert lab.sh(node, listing) == volumes
    wait_until("db runs", lambda: lab.domains(node)["db"] == "running")
    cloud.run("--tags", "instances").must_change_nothing()


def test_what_is_not_ours_is_never_touched(lab: Lab, cloud: Site) -> None:
    xml = "<domain type='qemu'><name>foreign</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    lab.sh(
        "node2", f"printf '%s' \"{xml}\" > /root/foreign.xml && virsh define /root/foreign.xml && rm /root/foreign.xml"
    )
    lab.sh("node2", "ovs-vsctl --may-exist add-br foreign0 -- set bridge foreign0 datapath_type=netdev")
    lab.sh("node2", "virsh pool-define-as foreign dir --target /srv/foreign")
    try:
        before = lab.exec("node2", "virsh", "dumpxml", "foreign")
        cloud.run().must_change_nothing()
        assert lab.exec("node2", "virsh", "dumpxml", "foreign") == before
        assert "foreign0" in lab.exec("node2", "ovs-vsctl", "list-br")
        assert "foreign" in lab.exec("node2", "virsh", "pool-list", "--all")
    finally:
        lab.sh("node2", "virsh undefine foreign; ovs-vsctl del-br foreign0; virsh pool-undefine foreign")


def _mib(text: str) -> int:
    number, unit = text.split()
    return int(number) * {"MiB": 1, "GiB": 1024}[unit]
