# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted secrets are searched for wherever they must not be."""

from __future__ import annotations

import secrets

from .lab import Lab, Site

_WATCH = (
    "end=$(( $(date +%s) + 40 )); while [ $(date +%s) -lt $end ]; do "
    "for file in /proc/[0-9]*/cmdline; do "
    "if tr '\\0' ' ' < $file 2>/dev/null | grep -qF 'planted-'; then tr '\\0' ' ' < $file | grep -v grep; fi; "
    "done; sleep 0.3; done"
)


def test_no_secret_leaks(lab: Lab, cloud: Site) -> None:
    data, password = f"planted-{secrets.token_hex(8)}", secrets.token_hex(43)
    hashed = f"$6$planted${password}"
    base = {"memory": "96 MiB", "power": "stopped", "image": "tiny", "root": {"pool": "local"}}
    screen = f"planted-{secrets.token_hex(8)}"
    graphics = {"type": "spice", "listen": "management", "password": screen}
    instances = [
        {**base, "name": "planted-data", "cloud_init": {"user_data": f"#cloud-config\npassword: {data}\n"}},
        {**base, "name": "planted-screen", "power": "running", "graphics": graphics},
        {**base, "name": "planted-user", "cloud_init": {"users": [{"name": "admin", "hashed_password": hashed}]}},
    ]
    try:
        with cloud.overlay({"pextra_instances": instances}) as extra:
            run = cloud.run("-vvv", "--diff", "--tags", "instances,summary", *extra).must_succeed()
            check = cloud.run("-vvv", "--diff", "--check", "--tags", "instances", *extra).must_succeed()
        for secret in (data, password, screen):
            assert secret not in run.output
            assert secret not in check.output
            for node in lab.nodes:
                assert secret not in lab.exec(node, "journalctl", "--no-pager", "--output=cat")
                found = lab.sh(node, f"grep -rlsF {secret} /etc /var /run /tmp /root /srv || true").split()
                for path in found:
                    mode = int(lab.exec(node, "stat", "--format=%a", path).strip(), 8)
                    assert not mode & 0o077, f"{path} on {node} holds a secret and has mode {mode:o}"
        # They are where they belong, or the search proves nothing.
        seeds = [lab.sh(node, f"grep -rlsF {data} /var/lib/pextra/pools/local || true").split() for node in lab.nodes]
        assert any(seeds)
        assert any(lab.sh(node, f"grep -rlsF {screen} /etc/libvirt/qemu || true") for node in lab.nodes)
    finally:
        absent = [{"name": item["name"], "state": "absent"} for item in instances]
        cloud.module("pextra_vm", vms=absent, remove_volumes=True, force_stop=True, stop_timeout_s=1, confirm="DESTROY")


def test_no_secret_is_an_argument(lab: Lab, cloud: Site) -> None:
    """Arguments of processes are for everyone to read; watched while an instance with a secret is made."""
    secret = f"planted-{secrets.token_hex(8)}"
    item = {
        "name": "arguments", "memory": "96 MiB", "image": "tiny", "root": {"pool": "local"},
        "cloud_init": {"user_data": f"#cloud-config\npassword: {secret}\n"},
        "graphics": {"type": "spice", "password": secret}, "node": "node1",
    }  # fmt: skip
    lab.sh("node1", f'nohup sh -c "{_WATCH}" > /run/arguments-seen 2>/dev/null & true'.replace("$", "\\$"))
    try:
        with cloud.overlay({"pextra_instances": [item]}) as extra:
            cloud.run("--tags", "instances", *extra).must_succeed()
        assert secret not in lab.exec("node1", "cat", "/run/arguments-seen")
    finally:
        lab.sh("node1", "rm -f /run/arguments-seen")
        gone = {"name": "arguments", "state": "absent", "remove_volumes": True, "confirm": "DESTROY"}
        cloud.module("pextra_vm", **gone, force_stop=True, stop_timeout_s=1)
