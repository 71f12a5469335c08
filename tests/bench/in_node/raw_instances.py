# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor of new instances: what libvirt-python itself needs, on all nodes at once. Runs on the coordinator.

raw_instances.py keep FILE PREFIX URI...   write to FILE what the domains of that prefix are made of, on these nodes
raw_instances.py make FILE                 make their volumes, fill in their seeds, define and start them
raw_instances.py clear FILE                stop and undefine them, and remove their volumes

FILE is JSON: {URI: [{"xml": XML, "name": NAME, "running": whether it ran, "volumes": [VOLUME]}]}, a volume {"pool",
"name", "xml", "data"}; data is the content of a seed in base64, none for volumes that begin empty or from an image.
Prints the seconds that it took, the connections and the import of libvirt included.
"""

from __future__ import annotations

import base64
import json
import sys
import time
import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()
import libvirt  # noqa: E402 - its time counts

# On one node at once, as the module does it.
AT_ONCE = 2
Described = dict[str, Any]


def keep(connection: libvirt.virConnect, prefix: str) -> list[Described]:
    return [
        {
            "name": domain.name(),
            "xml": domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE),
            "running": bool(domain.isActive()),
            "volumes": [
                keep_volume(connection, source.get("file"))
                for source in ET.fromstring(domain.XMLDesc(0)).iterfind("devices/disk/source")
            ],
        }
        for domain in connection.listAllDomains()
        if domain.name().startswith(prefix)
    ]


def keep_volume(connection: libvirt.virConnect, path: str) -> Described:
    volume = connection.storageVolLookupByPath(path)
    root = ET.fromstring(volume.XMLDesc(0))
    allocation = root.find("allocation")
    assert allocation is not None
    allocation.text = "0"
    data = None
    if root.find("backingStore") is None and volume.info()[1] < 2**20:
        stream, parts = connection.newStream(0), []
        volume.download(stream, 0, 0, 0)
        stream.recvAll(lambda _stream, part, into: into.append(part), parts)
        stream.finish()
        data = base64.b64encode(b"".join(parts)).decode()
    xml = ET.tostring(root, encoding="unicode")
    return {"pool": volume.storagePoolLookupByVolume().name(), "name": volume.name(), "xml": xml, "data": data}


def make(connection: libvirt.virConnect, described: Described) -> None:
    for volume in described["volumes"]:
        made = connection.storagePoolLookupByName(volume["pool"]).createXML(volume["xml"], 0)
        if volume["data"] is not None:
            stream = connection.newStream(0)
            made.upload(stream, 0, 0, 0)
            stream.send(base64.b64decode(volume["data"]))
            stream.finish()
    domain = connection.defineXML(described["xml"])
    domain.setAutostart(1)
    if described["running"]:
        domain.create()


def clear(connection: libvirt.virConnect, described: Described) -> None:
    domain = connection.lookupByName(described["name"])
    if domain.isActive():
        domain.destroy()
    domain.undefine()
    for volume in described["volumes"]:
        connection.storagePoolLookupByName(volume["pool"]).storageVolLookupByName(volume["name"]).delete(0)


def main() -> None:
    act, path, *rest = sys.argv[1:]
    file = Path(path)
    if act == "keep":
        prefix, *uris = rest
        file.write_text(json.dumps({uri: keep(libvirt.open(uri), prefix) for uri in uris}), encoding="utf-8")
        file.chmod(0o600)
        return
    given: dict[str, list[Described]] = json.loads(file.read_text(encoding="utf-8"))
    do = {"make": make, "clear": clear}[act]

    def on_node(uri: str) -> int:
        connection = libvirt.open(uri)
        with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
            count = len([*threads.map(lambda described: do(connection, described), given[uri])])
        connection.close()
        return count

    with ThreadPoolExecutor(max_workers=len(given)) as threads:
        counts = [*threads.map(on_node, given)]
    json.dump({"seconds": time.perf_counter() - STARTED, "count": sum(counts)}, sys.stdout)


main()
