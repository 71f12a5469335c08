# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run cloud-init's own renderers on a network configuration: what each system's files then say, as JSON.

`names` are the names that cloud-init gives to interfaces before any of them is up, by MAC address.

Called with the directory of cloud-init's Python packages; the configuration is YAML on standard input. The renderers'
settings are those of cloudinit/distros/debian.py and rhel.py.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, sys.argv[1])

import yaml
from cloudinit.net import eni, extract_physdevs, netplan, network_manager, networkd, sysconfig

SCRIPTS = "%(base)s/network-scripts"
RENDERERS = {
    "netplan": netplan.Renderer({"netplan_path": "etc/netplan/50-cloud-init.yaml", "postcmds": False}),
    "eni": eni.Renderer({"eni_path": "etc/network/interfaces"}),
    "networkd": networkd.Renderer(None),
    "network-manager": network_manager.Renderer(None),
    "sysconfig": sysconfig.Renderer(
        {
            "control": "etc/sysconfig/network",
            "iface_templates": f"{SCRIPTS}/ifcfg-%(name)s",
            "route_templates": {"ipv4": f"{SCRIPTS}/route-%(name)s", "ipv6": f"{SCRIPTS}/route6-%(name)s"},
            "flavor": "rhel",
        }
    ),
}

configuration = sys.stdin.read()
devices = extract_physdevs(yaml.safe_load(configuration))
rendered = {"names": {device[0]: device[1] for device in devices}}
for name, renderer in RENDERERS.items():
    with tempfile.TemporaryDirectory() as target:
        renderer.render_network_config(yaml.safe_load(configuration), target=target)
        files = sorted(path for path in Path(target).rglob("*") if path.is_file())
        rendered[name] = "\n".join(path.read_text() for path in files)
json.dump(rendered, sys.stdout)
