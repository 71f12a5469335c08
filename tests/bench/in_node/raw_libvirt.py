# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor: what libvirt-python itself needs. Runs in the node with Debian's Python.

raw_libvirt.py define FILE   define the domains of a JSON list of {name, xml}
raw_libvirt.py read          read all that a comparison needs: the XML of every domain, who is active, who autostarts
raw_libvirt.py clear         undefine every domain

Prints the seconds that it took, the connection and the import of libvirt included, as they are in the module's.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

STARTED = time.perf_counter()
import libvirt  # noqa: E402 - its time counts


def define(connection: libvirt.virConnect, path: str) -> int:
    domains = json.loads(Path(path).read_text(encoding="utf-8"))
    for domain in domains:
        connection.defineXML(domain["xml"])
    return len(domains)


def read(connection: libvirt.virConnect) -> int:
    connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_AUTOSTART)
    connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE)
    return len([domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE) for domain in connection.listAllDomains()])


def clear(connection: libvirt.virConnect) -> int:
    domains = connection.listAllDomains()
    for domain in domains:
        domain.undefine()
    return len(domains)


def main() -> None:
    act, *rest = sys.argv[1:]
    connection = libvirt.open("qemu:///system")
    count = {"define": define, "read": read, "clear": clear}[act](connection, *rest)
    connection.close()
    json.dump({"seconds": time.perf_counter() - STARTED, "count": count}, sys.stdout)


main()
