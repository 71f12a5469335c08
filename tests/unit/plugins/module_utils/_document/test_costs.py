# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What reading a document costs grows with its length, and nothing that can be written breaks it.

The bounds are many times what is needed, for a machine that does other work: what grows otherwise takes minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.rules.placement import find_unmatched
from ansible_collections.pextra.cloud.plugins.module_utils._fields.plain import Extent
from deployment_document import instance, read, told
from hypothesis import given
from hypothesis import strategies as st

_BOUND_SECONDS = 20
DIGITS = "9" * 5000


def hosts(count: int) -> dict[str, dict[str, Any]]:
    return {
        f"node{number}": {"ansible_host": f"10.91.{number // 250}.{number % 250 + 1}", "pextra_memory": "256 GiB"}
        for number in range(count)
    }


def instances(count: int, **values: Any) -> list[dict[str, Any]]:
    return [
        instance(
            f"web-{number}",
            nics=[{"port_group": "Production", "addresses": [f"172.20.{number // 250}.{number % 250 + 1}/16"]}],
            **values,
        )
        for number in range(count)
    ]


def pools(count: int) -> dict[str, Any]:
    return {"pextra_pools": [{"name": "local"}, *({"name": f"pool-{number}"} for number in range(count))]}


def layers() -> dict[str, Any]:
    """A flavor and profiles, one of them of another value for each instance."""
    front = {"name": "front", "port_group": "Production"}
    return {
        "pextra_flavors": [{"name": "big", "vcpus": 2, "memory": "1 GiB", "cpu": {"model": "Haswell"}}],
        "pextra_profiles": [
            {"name": "disk", "volumes": [{"name": "data", "pool": "local", "size": "1 GiB"}], "tags": ["disk"]},
            {"name": "user", "cloud_init": {"users": [{"name": "ops"}]}, "watchdog": {"model": "i6300esb"}},
            {"name": "nic", "nics": [front], "cloud_init": {"hostname": "web{{ pextra_index }}"}},
        ],
    }


@pytest.mark.parametrize(
    ("make", "nodes", "mistakes"),
    [
        pytest.param(lambda: {"pextra_instances": instances(10_000)}, 100, 0, id="instances"),
        pytest.param(lambda: {"pextra_instances": instances(1000, anti_affinity="one")}, 1000, 0, id="anti-affinity"),
        pytest.param(
            lambda: {"pextra_instances": instances(1010, anti_affinity="one")}, 1000, 10, id="anti-affinity in vain"
        ),
        pytest.param(
            lambda: {"pextra_instances": instances(1, tags=[f"t{number}" for number in range(32_000)])}, 3, 0, id="tags"
        ),
        pytest.param(lambda: pools(2000), 100, 0, id="pools"),
        pytest.param(
            lambda: (
                pools(2000) | {"pextra_instances": [instance(f"a{n}", root={"pool": f"p-{n}"}) for n in range(2000)]}
            ),
            10,
            2000,
            id="suggestions",
        ),
        pytest.param(
            lambda: {"pextra_pools": [{"name": "local", "nodes": [f"x{number}" for number in range(5000)]}]},
            1000,
            5000,
            id="wrong nodes",
        ),
        pytest.param(
            lambda: {"pextra_instances": [{**one, f"memroy{n}": 1} for n, one in enumerate(instances(10_000))]},
            100,
            10_000,
            id="misspelt keys",
        ),
        pytest.param(
            lambda: layers() | {"pextra_instances": instances(10_000, flavor="big", profiles=["disk", "user"])},
            100,
            0,
            id="profiles",
        ),
        pytest.param(
            lambda: (
                layers() | {"pextra_instances": [instance("web", count=10_000, flavor="big", profiles=["disk", "nic"])]}
            ),
            100,
            0,
            id="profiles with numbers",
        ),
        pytest.param(
            lambda: layers() | {"pextra_instances": instances(10_000, flavor="big", vcpus_max=1)},
            100,
            10_000,
            id="wrong together with a flavor",
        ),
    ],
)
def test_large_documents(make: Callable[[], dict[str, Any]], nodes: int, mistakes: int) -> None:
    variables = {"pextra_instances": None, **make()}
    before = time.process_time()
    assert len(told(read(variables, hosts(nodes), coordinators=("node1",)))) == mistakes
    assert time.process_time() - before < _BOUND_SECONDS


@given(st.lists(st.frozensets(st.sampled_from("abcdef"), min_size=1), min_size=1, max_size=7))
def test_as_many_as_possible_get_a_node(candidates: list[frozenset[str]]) -> None:
    """Against trying everything."""

    def place(left: list[frozenset[str]], free: frozenset[str]) -> int:
        if not left:
            return 0
        with_it = [1 + place(left[1:], free - {node}) for node in left[0] & free]
        return max([place(left[1:], free), *with_it])

    assert len(candidates) - len(find_unmatched(candidates)) == place(candidates, frozenset("abcdef"))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"pextra_instances": [instance("db", memory=f"{DIGITS} GiB")]},
            'pextra_instances[0] (db).memory: "999',
        ),
        (
            {"pextra_instances": [instance("db", vcpus=10**5000)]},
            "pextra_instances[0] (db).vcpus: a number of more than 80 digits is out of range; allowed is 1 to 512",
        ),
        (
            {"pextra_instances": [instance("db", vcpus=DIGITS)]},
            "pextra_instances[0] (db).vcpus: ",
        ),
        (
            {"pextra_instances": [instance("db", description=10**5000)]},
            "pextra_instances[0] (db).description: a number of more than 80 digits is not a text",
        ),
        (
            {"pextra_datacenters": [{"name": "a", "location": {"latitude": 10**5000, "longitude": 1}}]},
            "pextra_datacenters[0] (a).location.latitude: a number of more than 80 digits is not a number",
        ),
        (
            {"pextra_instances": [instance("db", cloud_init={"user_data": "a\ud800b"})]},
            'pextra_instances[0] (db).cloud_init.user_data: it holds "\\ud800", which is half a character',
        ),
        (
            {"pextra_instances": [{**instance("db"), 10**5000: 1}]},
            "pextra_instances[0] (db).a number of more than 80 digits: unknown key.",
        ),
    ],
)
def test_nothing_is_too_long_to_be_told(variables: dict[str, Any], expected: str) -> None:
    mistakes = told(read(variables))
    assert len(mistakes) == 1
    assert mistakes[0].startswith(expected)
    assert len(mistakes[0]) < 1000


def nested(depth: int, width: int, inner: Any = "x") -> Any:
    """What YAML makes of one line for each depth, with aliases."""
    value = inner
    for _ in range(depth):
        value = [value] * width
    return value


def test_aliases_are_counted_before_they_are_written_out() -> None:
    itself: list[Any] = [1]
    itself.append(itself)
    extent = Extent()
    assert extent.find_problem(nested(25, 9)) == (
        "stands for more than 1,000,000 values, with its YAML aliases written out; write fewer"
    )
    for holder in (itself, [itself], {"a": {"b": itself}}):
        assert extent.find_problem(holder) == "holds itself, by a YAML alias of its own anchor; write it without"
    assert extent.find_problem(nested(40, 1)) == (
        "is nested 40 deep; write at most 32 lists and mappings in each other"
    )
    assert extent.find_problem({"a": [nested(5, 9), nested(5, 9)], "b": "x" * 10_000_000}) is None
