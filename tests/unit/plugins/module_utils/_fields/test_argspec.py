# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible looks at of the elements of a call that gives many."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._fields.argspec import narrow_options, options_of
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import FIELDS

OPTIONS = options_of(FIELDS)


def test_what_none_names_is_not_looked_at() -> None:
    found = narrow_options(OPTIONS, [{"name": "a", "memory": "1 GiB"}, {"name": "b", "vcpus": 2}])
    assert found == {key: OPTIONS[key] for key in ("name", "memory", "vcpus")}


def test_nor_what_none_names_of_a_part() -> None:
    nics = [{"name": "nic0", "mac": "52:54:00:00:00:01"}, {"name": "nic1", "port_group": "Production"}]
    found = narrow_options(
        OPTIONS,
        [{"name": "a", "cpu": {"model": "Nehalem"}}, {"name": "b", "cpu": {"topology": {"cores": 2}}, "nics": nics}],
    )
    assert found["cpu"]["options"].keys() == {"model", "topology"}
    assert found["cpu"]["options"]["topology"]["options"].keys() == {"cores"}
    assert found["nics"]["options"] == {
        name: OPTIONS["nics"]["options"][name] for name in ("name", "mac", "port_group")
    }


@pytest.mark.parametrize("part", [{"cpu": "fast"}, {"cpu": {"modle": "x"}}, {"nics": 5}, {"nics": [{"nmae": "a"}, {}]}])
def test_for_a_part_that_is_wrong_ansible_has_all_of_it(part: dict[str, Any]) -> None:
    (name,) = part
    given = [{"name": "a", **part}, {"name": "b", "cpu": None}]
    assert narrow_options(OPTIONS, given)[name]["options"] == OPTIONS[name]["options"]


@pytest.mark.parametrize("elements", [[], [{}], [{"vcpus": 2}]])
def test_what_each_has_to_name_is_looked_at(elements: Any) -> None:
    assert narrow_options(OPTIONS, elements)["name"]["required"]


@pytest.mark.parametrize("elements", [None, "", "name=a", {"name": "a"}, ["a"], [{"name": "a"}, 5], [{"nmae": "a"}]])
def test_for_what_is_wrong_ansible_has_all_of_them(elements: Any) -> None:
    assert narrow_options(OPTIONS, elements) is OPTIONS
