# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances of every kind, for properties of their planner."""

from __future__ import annotations

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.parts import (
    Cdrom,
    CloudInit,
    Nic,
    Root,
    Volume,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import Vm
from hypothesis import strategies as st
from instance_model import whole

NAMES = ("web-1", "web-2", "db")
SIZES = st.sampled_from([64, 256, 1024])
NODES = st.sampled_from([None, "node1", "node2", "node3"])


@st.composite
def specs(draw: st.DrawFn, name: str, *, absent: bool = True) -> Vm:
    # Mostly what can be changed and moved: the rest is refused, and of that there are tables.
    pool = draw(st.sampled_from(["local", "vg0", "tank", "ceph", "ceph", "shared", "shared", "shared"]))
    pools = st.just(pool)
    image = draw(st.sampled_from([None, "tiny", "tiny", "tiny", "huge"]))
    root = draw(
        st.builds(
            Root,
            pool=pools,
            size=st.sampled_from([None, 2048, 3072] if image else [1024, 2048]),
            mode=st.just("copy" if name == "db" else None),
        )
    )
    volumes = draw(
        st.lists(
            st.builds(
                Volume,
                name=st.sampled_from(["data", "logs", "seed-x"]),
                pool=pools,
                size=SIZES,
                filesystem=st.sampled_from(["none", "none", "ext4"] if image else ["none"]),
            ),
            unique_by=lambda volume: volume.name,
            max_size=3,
        )
    )
    if draw(st.integers(0, 3)) == 0:
        # Each instance its own: two on one unit are refused.
        volumes.append(Volume(name="san", pool="san", unit=f"unit:0:0:{NAMES.index(name) + 1}"))
    cdrom = st.builds(
        Cdrom,
        name=st.sampled_from(["cd-1", "cd-2"]),
        image=st.sampled_from(["", "disc", "rescue"]),
        further=st.sampled_from([{}, {"bus": "scsi"}]),
    )
    cdroms = draw(st.lists(cdrom, unique_by=lambda drive: drive.name, max_size=2))
    nic = st.builds(
        Nic,
        port_group=st.sampled_from(["Production", "DMZ", "Backup"]),
        addresses=st.sampled_from([None, ("172.20.0.5/24",), ("172.20.0.6/24", "2001:db8::6/64")]),
    )
    return whole(
        name=name,
        node=draw(NODES),
        anti_affinity=draw(st.sampled_from([None, None, "web"])),
        vcpus=draw(st.integers(1, 2)),
        memory=draw(st.sampled_from([64, 128])),
        image=image,
        root=root,
        volumes=tuple(volumes),
        cdroms=tuple(cdroms),
        nics=tuple(draw(st.lists(nic, min_size=draw(st.integers(0, 1)), max_size=3))),
        cloud_init=draw(st.sampled_from([None, CloudInit(hostname="other")])),
        autostart=draw(st.booleans()),
        power=draw(st.sampled_from([None, None, "running", "stopped", "paused"])),
        description=draw(st.sampled_from([None, "", "a <b> & 'c'"])),
        tags=draw(st.sampled_from([(), ("front", "back")])),
        flavor=draw(st.sampled_from(["", "small"])),
        profiles=draw(st.sampled_from([(), ("base", "web")])),
        state=draw(st.sampled_from(["present"] * 5 + ["absent"])) if absent else "present",
    )
