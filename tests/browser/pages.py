# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages that the browser is shown, by name."""

from __future__ import annotations

from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.page import render_page
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_cloud import Answers, read_cloud
from ansible_collections.pextra.cloud.plugins.plugin_utils.report_page.reading_document import read_document
from report_cloud import DOCUMENT, make_answers, make_cloud, make_events, make_troubled

HOSTILE = "</script><script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\">\"' "


def render(name: str) -> str:
    """Return a page as text."""
    if name == "document":
        page = read_document(DOCUMENT)
    elif name == "well":
        page = read_cloud(make_answers())
    elif name == "troubled":
        page = read_cloud(make_troubled())
    elif name == "thousand":
        page = read_cloud(make_answers(12, 1000, events=make_events(200)))
    else:
        page = read_cloud(_hostile())
    return render_page(page, "2026-11-29T15:04Z")


def _hostile() -> Answers:
    cloud = make_cloud(2, 4)
    for noun in ("nodes", "pools", "instances", "volumes"):
        for one in cloud[noun]:
            one["name"] = HOSTILE + one["name"]
    for one in cloud["instances"]:
        one.update(node=cloud["nodes"][0]["name"], tags=[HOSTILE], description=HOSTILE)
    document = {"deployment_name": HOSTILE}
    return make_answers(document=document, cloud=cloud, problems=[{"node": HOSTILE, "what": HOSTILE}])
