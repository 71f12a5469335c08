# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Of which instances a picture can be taken."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._model.ids import uuid_of
from ansible_collections.pextra.cloud.plugins.module_utils._model.plan import Plan
from ansible_collections.pextra.cloud.plugins.module_utils._model.rows import Row
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.hierarchy.plan import Hierarchy
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.whereabouts import Seen, Whereabouts
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_screenshot.plan import (
    Take,
    has_display,
    plan_screenshots,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.vm_screenshot.spec import (
    Screenshot,
    parse_screenshot,
)

CLUSTER = Row("cls-AAAAAAAAAAAAAAAAAAAAA", "cluster", "mtl-1")
NODE = Row("node-111111111111111111111", "node", "node1", CLUSTER.id)
WEB = Row("inst-AAAAAAAAAAAAAAAAAAAAA", "instance", "web", CLUSTER.id, {"node": NODE.id})
WITH = "<domain><devices><video><model type='vga'/></video></devices></domain>"
WITHOUT = "<domain><devices/></domain>"


def plan(state: str = "running", xml: str = WITH, *, hindrance: str | None = None, done: tuple[str, ...] = ()) -> Plan:
    hierarchy = Hierarchy(organizations=(), clusters=(CLUSTER,), members=(NODE, WEB))
    have = Whereabouts(hierarchy, {uuid_of(WEB.id): [Seen("node1", state, xml)]}, {})
    want = Screenshot(name=WEB.id, directory="/srv/screens", screen=1)
    return plan_screenshots([want], have, {"/srv/screens": hindrance}, done)


@pytest.mark.parametrize("state", ["running", "paused", "asleep"])
def test_taken(state: str) -> None:
    (work,) = plan(state).works
    assert [step.does for step in work.steps] == [Take("/srv/screens/web.png", 1)]
    assert (work.key, work.node) == ("instance web", "node1")
    assert plan(state, done=(WEB.id,)).is_empty


@pytest.mark.parametrize(
    ("found", "what"),
    [
        (plan("stopped"), "it is stopped"),
        (plan("saved"), "it is saved"),
        (plan(xml=WITHOUT), "it has no screen: its definition has no video device"),
        (plan(hindrance="there is no such directory"), "/srv/screens cannot be written: there is no such directory"),
    ],
)
def test_refused(found: Plan, what: str) -> None:
    assert [problem.what for problem in found.refusals] == [what]
    assert found.is_empty


@pytest.mark.parametrize(
    ("video", "expected"),
    [("", False), ("<video><model type='none'/></video>", False), ("<video><model type='virtio'/></video>", True)],
)
def test_display(video: str, expected: bool) -> None:
    assert has_display(f"<domain><devices>{video}</devices></domain>") is expected


def test_options() -> None:
    _, mistakes = parse_screenshot({"name": "web", "directory": "screens", "screen": 16}, "")
    assert [mistake.path for mistake in mistakes] == ["directory", "screen"]
