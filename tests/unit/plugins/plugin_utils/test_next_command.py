# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The next command is called as this one was."""

from __future__ import annotations

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils.next_command import render_next


@pytest.mark.parametrize(
    ("playbook", "inventories", "command"),
    [
        ("pextra.cloud.validate", [], "ansible-playbook pextra.cloud.site"),
        ("playbooks/validate.yml", [], "ansible-playbook playbooks/site.yml"),
        ("validate.yml", ["/srv/acme/mine"], "ansible-playbook -i mine site.yml"),
        (
            "/usr/share/x/validate.yml",
            ["/etc/a b", "localhost,"],
            "ansible-playbook -i '/etc/a b' -i localhost, /usr/share/x/site.yml",
        ),
        # Somebody's own, or several.
        ("pextra.cloud.site", [], None),
        ("mine/revalidate.yml", [], None),
        ("my.cloud.validate", [], None),
        ("validate.yml.j2", [], None),
    ],
)
def test_it_is_called_as_this_one(playbook: str, inventories: list[str], command: str | None) -> None:
    assert render_next([playbook], inventories, "/srv/acme", "validate", "site") == command


@pytest.mark.parametrize("playbooks", [[], ["validate.yml", "site.yml"]])
def test_nobody_knows_what_comes_after_several(playbooks: list[str]) -> None:
    assert render_next(playbooks, [], "/srv/acme", "validate", "site") is None
