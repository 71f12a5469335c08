# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""cloud-config against cloud-init's own schema: lines and reasons, and no values."""

from __future__ import annotations

import sys

import pytest
from ansible_collections.pextra.cloud.plugins.plugin_utils.cloud_config import CloudConfigCheck, find_problems_of

ALIASES = "l0: &l0 [a, a, a, a, a, a, a, a, a, a]\n" + "".join(
    f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def problem(text: str) -> str | None:
    return CloudConfigCheck().find_problem(f"#cloud-config\n{text}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        "users: [default, {name: ann, lock_passwd: false, ssh_authorized_keys: [x]}]\n",
        "runcmd: [[ls, -l], ls]\nwrite_files: [{path: /a, content: !!binary aGk=}]\n",
        "timezone: UTC\nvendor_data: {enabled: false}\n",
        # What a template leaves where there is nothing to say.
        "runcmd: []\nwrite_files: []\nmounts: []\n",
    ],
)
def test_what_follows_the_schema(text: str) -> None:
    assert problem(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "users:\n  - name: ann\n    shel: x\n",
            "line 4: users[0].shel is a key that is not known there. Did you mean",
        ),
        ("runcmds:\n  - ls\n", 'line 2: runcmds is a key that is not known there. Did you mean "runcmd"?'),
        ("\nruncmd: 5\n", "line 3: runcmd has to be a list"),
        ("package_update: hunter2\n", "line 2: package_update has to be true or false"),
        (
            "users:\n - default\n - {name: a, lock_passwd: hunter2}\n",
            "line 4: users[1].lock_passwd has to be true or false",
        ),
        ("write_files:\n- content: hunter2\n", "line 3: write_files[0] has no path"),
        ("growpart: {mode: hunter2}\n", "line 2: growpart.mode has to be one of auto, growpart, gpart, off"),
        ("power_state: {mode: reboot, delay: hunter2}\n", "line 2: power_state.delay has to be of the form"),
        ("user: [hunter2\n", "line 3: it is no YAML"),
        ("\tx: hunter2\n", "line 2: it is no YAML"),
        ("x\0: hunter2\n", "line 2: it is no YAML"),
        ("- hunter2\n", "line 2: it has to be a mapping"),
        ("a: &x [*x]\n", "line 2: an alias leads back to what it is in"),
        ("true: hunter2\n", 'line 2: keys are texts, and "true" is none; put it in quotes'),
        ("timezone: 2020-99-99\n", "a date, time, number or tag in it is none"),
        ("password: !hunter2\n", "line 2: it has a tag or an alias that is not known"),
        ("password: *hunter2\n", "line 2: it has a tag or an alias that is not known"),
        ("a: !!bool hunter2\n", "a date, time, number or tag in it is none"),
        ("a: !!int ''\n", "a date, time, number or tag in it is none"),
        ("a: " + "[" * 5000, "nest"),
        (ALIASES, "its aliases make more than"),
    ],
)
def test_what_does_not(text: str, expected: str) -> None:
    found = problem(text)
    assert found is not None
    assert expected in found
    assert found.startswith("its secret value does not follow the schema of cloud-init ")
    assert "hunter2" not in found


def test_all_of_it_is_told_and_not_without_end() -> None:
    found = problem("".join(f"nothing{n}: 1\n" for n in range(20)))
    assert found is not None
    assert found.count("line ") == 5
    assert found.endswith("and 15 more")


@pytest.mark.parametrize(
    "text",
    [
        *("", "#!/bin/sh\nx: [", "## template: jinja\n#cloud-config\nx: [", "#cloud-config-archive\n- x"),
        "MIME-Version: 1.0\nContent-Type: text/cloud-config\n\nx: [",
    ],
)
def test_what_has_no_schema_is_not_looked_at(text: str) -> None:
    assert CloudConfigCheck().find_problem(text) is None


def test_without_the_library_it_is_said_once_and_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    check = CloudConfigCheck()
    assert check.find_problem("#!/bin/sh\n") is None
    assert check.note is None
    assert check.find_problem("#cloud-config\nruncmds: []\n") is None
    assert check.note is not None
    assert "jsonschema is missing" in check.note
    # YAML is read all the same.
    assert "it is no YAML" in (check.find_problem("#cloud-config\nx: [\n") or "")


def test_texts_as_ansible_has_them() -> None:
    class Tagged(str):
        """libyaml asks for the very type of Python."""

    check = CloudConfigCheck()
    assert "line 2" in (check.find_problem(Tagged("#cloud-config\nruncmd: 5\n")) or "")
    assert check.find_problem(Tagged("#cloud-config\n# ü\n")) is None
    assert check.find_problem("#cloud-config\ntimezone: x\ud800\n") is None


def test_the_options_of_the_module() -> None:
    bad = {"user_data": "#cloud-config\nruncmd: 5\n", "vendor_data": "#cloud-config\nx: 1\n"}
    arguments = {"cloud_init": bad, "vms": [{"name": "a"}, {"cloud_init": bad}, "odd", {"cloud_init": None}]}
    assert [path for path, _ in find_problems_of(arguments, CloudConfigCheck())] == [
        *("cloud_init.user_data", "cloud_init.vendor_data"),
        *("vms[1].cloud_init.user_data", "vms[1].cloud_init.vendor_data"),
    ]
    for odd in ({}, {"vms": "{{ x }}"}, {"vms": None, "cloud_init": 5}, {"cloud_init": {"user_data": 5}}):
        assert not list(find_problems_of(odd, CloudConfigCheck()))
