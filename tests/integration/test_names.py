# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands above nodes gets another name, and stays what it is."""

from __future__ import annotations

import pytest

from .lab import Site

NEW = "Elsewhere"


@pytest.mark.long
@pytest.mark.parametrize(
    ("module", "plural", "name"),
    [
        ("pextra_tenant", "tenants", "acme"),
        ("pextra_datacenter", "datacenters", "Montreal"),
        ("pextra_cluster", "clusters", "mtl-1"),
    ],
)
def test_another_name(cloud: Site, module: str, plural: str, name: str) -> None:
    def known() -> dict[str, str]:
        return {one["name"]: one["id"] for one in cloud.module(f"{module}_info")[plural]}

    before = known()
    renamed, again = cloud.calls(module, *[{"name": NEW, "former_name": name}] * 2)
    try:
        assert (renamed["changed"], again["changed"]) == (True, False)
        assert known() == {NEW if one == name else one: id_ for one, id_ in before.items()}
        tree = cloud.module("pextra_deployment_info")["tree"]
        assert NEW in tree.splitlines()[0]
    finally:
        cloud.calls(module, {"name": name, "former_name": NEW})
    assert known() == before
    cloud.run("--tags", "cluster").must_change_nothing()
