# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json

from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import claims
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.leases import Leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from ansible_collections.pextra.cloud.plugins.module_utils._model.claims import Claim, Room

WEB = Claim("inst-1", "web", ("mac 52:54:00:00:00:01",), Room("node-1", 512, True, "web", 4))


def test_others_read_what_was_written(registry: Registry) -> None:
    with Leases(registry, ["instance web"], holder="ann", timeout_s=0) as held:
        claims.write(registry, held.token, [WEB, Claim("inst-2", "db")])
        assert sorted(claims.read(registry, but=None)) == [WEB, Claim("inst-2", "db")]
        assert claims.read(registry, but=held.token) == []
    assert claims.read(registry, but=None) == []


def test_a_run_of_an_older_version_counts_no_virtual_cpus(registry: Registry) -> None:
    with Leases(registry, ["instance web"], holder="ann", timeout_s=0) as held:
        room = {"node": "node-1", "memory": 512, "runs": True, "group": "web"}
        text = json.dumps({"name": "web", "takes": list(WEB.takes), "room": room})
        registry.tables.claim.insert(token=held.token, resource="inst-1", what=text).execute()
        assert claims.read(registry, but=None) == [Claim("inst-1", "web", WEB.takes, Room("node-1", 512, True, "web"))]
