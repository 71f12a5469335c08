# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible passes over without a word because its name is no group's and no host's."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils.unread_variables import find_unread

GROUPS, HOSTS = {"all", "pextra_nodes"}, {"alpha", "node1.example.com"}
READ = (
    "group_vars/all/00-deployment.yml",
    "group_vars/pextra_nodes.yaml",
    "host_vars/node1.example.com.yml",
    "host_vars/alpha",
    "group_vars/README.md",
    "group_vars/.hidden.yml",
    "group_vars/all.yml~",
)


@pytest.mark.parametrize("source", ["", "hosts.yml"])
def test_what_is_read_for_nobody_is_told(tmp_path: Path, source: str) -> None:
    for name in (*READ, "group_vars/al/10.yml", "group_vars/pextra_node.yml", "host_vars/gamma/x.yml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("---\n")
    (tmp_path / "hosts.yml").write_text("---\n")
    found = find_unread([str(tmp_path / source)], GROUPS, HOSTS)
    assert [(one.path, one.file) for one in found] == [
        (name, str(tmp_path / name)) for name in ("group_vars/al", "group_vars/pextra_node.yml", "host_vars/gamma")
    ]
    assert 'no group "al". Did you mean "all"?' in found[0].problem
    assert "no host" in found[2].problem


def test_what_is_no_path_has_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_unread(["alpha,bravo,", "", str(tmp_path / "gone" / "hosts")], GROUPS, HOSTS) == []
