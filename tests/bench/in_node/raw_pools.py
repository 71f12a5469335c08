# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The floor of storage pools: what libvirt-python itself needs, on all nodes at once. Runs on the coordinator.

raw_pools.py read FILE     list all pools, and read of each its state, whether it autostarts, and its XML
raw_pools.py define FILE   define, build, start and autostart the pools of FILE on every node, with their secrets
raw_pools.py clear FILE    stop and undefine them

FILE is JSON: {"uris": [URI, ...], "pools": [{"name": NAME, "xml": XML}, ...]}, with "secret" (XML) and "key" for
pools of Ceph. Prints the seconds of each node, the connections and the import of libvirt included, as they are in the
module's; "calls" are without them.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()
import libvirt  # noqa: E402 - its time counts

IMPORT_S = time.perf_counter() - STARTED


def read(connection: libvirt.virConnect, _pools: list[dict[str, str]]) -> int:
    connection.listAllStoragePools(libvirt.VIR_CONNECT_LIST_STORAGE_POOLS_AUTOSTART)
    return len([(pool.info(), pool.XMLDesc(0)) for pool in connection.listAllStoragePools()])


def define(connection: libvirt.virConnect, pools: list[dict[str, str]]) -> int:
    for described in pools:
        if "secret" in described:
            secret = connection.secretDefineXML(described["secret"])
            secret.setValue(base64.b64decode(described["key"]))
        pool = connection.storagePoolDefineXML(described["xml"])
        if "secret" not in described:
            pool.build(libvirt.VIR_STORAGE_POOL_BUILD_NEW)
        pool.create()
        pool.setAutostart(1)
    return len(pools)


def clear(connection: libvirt.virConnect, pools: list[dict[str, str]]) -> int:
    for described in pools:
        pool = connection.storagePoolLookupByName(described["name"])
        pool.destroy()
        pool.undefine()
        if "secret" in described:
            connection.secretLookupByUsage(libvirt.VIR_SECRET_USAGE_TYPE_CEPH, described["name"]).undefine()
    return len(pools)


def main() -> None:
    act, path = sys.argv[1:]
    given: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))

    def on_node(uri: str) -> dict[str, float]:
        started = time.perf_counter()
        connection = libvirt.open(uri)
        opened = time.perf_counter()
        count = {"read": read, "define": define, "clear": clear}[act](connection, given["pools"])
        done = time.perf_counter()
        connection.close()
        return {"seconds": IMPORT_S + time.perf_counter() - started, "calls": done - opened, "count": count}

    with ThreadPoolExecutor(max_workers=len(given["uris"])) as threads:
        nodes = list(threads.map(on_node, given["uris"]))
    json.dump({"seconds": time.perf_counter() - STARTED, "nodes": nodes}, sys.stdout)


main()
