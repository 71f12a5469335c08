# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What messages say, and what they never hold."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.pextra.cloud.plugins.module_utils._document.hosts import find_coordinator_mistakes
from ansible_collections.pextra.cloud.plugins.module_utils._model.mistake import Mistake, shown
from deployment_document import HOSTS, VARIABLES, instance, read, told


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        (
            {"pextra_organizations": [{"name": "a" * 64}]},
            'name: "aaaaaaaaaaaaaaaaaaaa..." has 64 characters; write at most 63',
        ),
        (
            {"pextra_instances": [instance("a" * 64)]},
            'name: its part "aaaaaaaaaaaaaaaaaaaa..." has 64 characters; write at most 63',
        ),
        (
            {"pextra_vswitches": [{"name": "svswitch10", "uplinks": ["enp129s0f0np0v1"]}]},
            "",
        ),
        (
            {"pextra_vswitches": [{"name": "svswitch10", "uplinks": ["enp129s0f0np0v12"]}]},
            'uplinks[0]: "enp129s0f0np0v12..." has 16 characters; write at most 15',
        ),
        (
            {"pextra_vswitches": [{"name": "svswitch10", "uplinks": ["svswitch10"]}]},
            'uplinks[0]: "svswitch10" is a vSwitch; write a physical NIC',
        ),
        (
            {"pextra_instances": [instance("db", volumes=[{"name": "v" * 33, "pool": "local", "size": "1 GiB"}])]},
            'name: "vvvvvvvvvvvvvvvvvvvv..." has 33 characters; write at most 32',
        ),
        (
            {"pextra_image_mirrors": ["mirror.example.org/debian"]},
            'pextra_image_mirrors[0]: "mirror.example.org/debian" is no URL without its scheme; write https://',
        ),
        (
            {"pextra_images": [{"name": "tiny", "source": "images/tiny.qcow2", "mirrors": ["192.0.2.7:8080"]}]},
            'mirrors[0]: "192.0.2.7:8080" is no URL without its scheme',
        ),
    ],
)
def test_messages(variables: dict[str, Any], expected: str) -> None:
    mistakes = told(read(variables))
    assert bool(mistakes) is bool(expected)
    assert any(expected in mistake for mistake in mistakes) or not expected, mistakes


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "nothing"),
        (True, "true"),
        (b"x", "binary data"),
        ({1}, "a list"),
        (1.5, "1.5"),
        ("a\x1b[31mb", '"a\\x1b[31mb"'),
    ],
)
def test_values_are_shown_as_people_write_them(value: object, expected: str) -> None:
    assert shown(value) == expected


def test_nothing_controls_the_terminal() -> None:
    """Names that are wrong stand in messages about others."""
    red = "\x1b[31mred"
    variables = {
        "pextra_pools": [{"name": red, "path": "/srv/a"}, {"name": "b", "path": "/srv/a/b"}],
        "pextra_port_groups": [{"name": red}],
        "pextra_instances": [
            instance(red, root={"pool": red}, nics=[{"port_group": "x", "addresses": ["172.20.0.5/24"]}]),
            instance("twin", root={"pool": "none"}, nics=[{"port_group": "x", "addresses": ["172.20.0.5/24"]}]),
        ],
    }
    mistakes = told(read(variables))
    assert any("Declared: \\x1b[31mred, b." in mistake for mistake in mistakes)
    assert all(mistake.isprintable() for mistake in mistakes)
    assert str(Mistake("a\x1b", "b\n")) == "a\\x1b: b\\n"


@pytest.mark.parametrize(
    ("count", "url", "is_wrong"),
    [
        (1, None, False),
        (2, None, True),
        (2, "sqlite:////srv/registry.db", True),
        (2, "postgresql://a@b/c", False),
        (3, None, False),
    ],
)
def test_two_coordinators_need_a_registry_in_common(count: int, url: str | None, is_wrong: bool) -> None:
    mistakes = find_coordinator_mistakes(list(HOSTS)[:count], list(HOSTS), url)
    assert bool(mistakes) is is_wrong
    assert all("pextra_registry_url" in mistake.problem for mistake in mistakes)


def test_on_no_node_is_a_warning() -> None:
    deployment = read({"pextra_vswitches": [*VARIABLES["pextra_vswitches"], {"name": "svswitch2", "nodes": []}],
                       "pextra_port_groups": [{"name": "Production", "vswitch": "svswitch10"}]})  # fmt: skip
    assert deployment.mistakes == ()
    assert [str(warning) for warning in deployment.warnings] == [
        "pextra_vswitches[1] (svswitch2).nodes: is empty, so it is on no node; "
        "leave it out if it is to be on all nodes of the cluster"
    ]
