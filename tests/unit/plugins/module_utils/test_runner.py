# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine, with a noun of its own (tests/unit/lamps.py), a real registry and Ansible's own module class."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pextra.cloud.plugins.module_utils import _runner
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry import audit, leases
from ansible_collections.pextra.cloud.plugins.module_utils._doors.registry.store import Registry
from lamps import FAR, LampResource, be_info_module, be_module, load, load_without_library

Result = dict[str, Any]
Module = Callable[..., Result]
ALLOWED = {"changed", "actions", "changes", "pending", "diff", "invocation", "warnings"}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    with Registry(f"sqlite:///{tmp_path}/registry.db", create=True):
        pass
    return tmp_path


@pytest.fixture
def arguments(directory: Path) -> Result:
    return {"registry": f"sqlite:///{directory}/registry.db", "directory": str(directory), "actor": "ann"}


@pytest.fixture
def module(arguments: Result, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Module:
    """Run the module with some more arguments, and return its result."""
    # A test of an action plugin makes this process a controller for Ansible, and a controller prints its warnings.
    monkeypatch.setattr(_internal, "is_controller", False)

    def call(loader: Any = load, *, module: Any = be_module, **more: Any) -> Result:
        with pytest.raises(SystemExit) as ended:
            module(arguments | more, loader)
        result: Result = json.loads(capsys.readouterr().out)
        assert (ended.value.code != 0) == bool(result.get("failed"))
        return result

    return call


def lamps(directory: Path) -> dict[str, str]:
    return {path.stem: path.read_text() for path in sorted(directory.glob("*.lamp"))}


def trail(directory: Path) -> list[tuple[str, str, str]]:
    """Return the audit trail, oldest first."""
    with Registry(f"sqlite:///{directory}/registry.db") as registry:
        found = audit.read(registry)[::-1]
    assert all(event["actor"].startswith("ann at ") for event in found)
    return [(event["name"], event["what"], event["outcome"]) for event in found]


def held(directory: Path) -> list[str]:
    with Registry(f"sqlite:///{directory}/registry.db") as registry:
        return [lease["key"] for lease in leases.read(registry)]


def switched(name: str, before: str | None, after: str | None) -> Result:
    return {
        "kind": "lamp",
        "name": name,
        "node": "node1",
        "option": "light",
        "before": before,
        "after": after,
        "when": "live",
    }


# One and many


def test_one(module: Module, directory: Path) -> None:
    result = module(name="desk")
    assert result["changed"] is True
    assert result["lamp"] == {"name": "desk", "light": "on"}
    assert result["actions"] == ["lamp desk on node1: switch on"]
    assert result["changes"] == [switched("desk", None, "on")]
    assert result["pending"] == []
    assert set(result) <= ALLOWED | {"lamp"}
    assert lamps(directory) == {"desk": "on"}
    assert (directory / "reserved").read_text() == "desk"
    assert trail(directory) == [("desk", "switch on", "started"), ("desk", "switch on", "done")]
    assert held(directory) == []


def test_again(module: Module, directory: Path) -> None:
    """The second run changes nothing, leases nothing, and leaves no trace."""
    module(name="desk")
    before = trail(directory)
    result = module(name="desk", _ansible_diff=True)
    assert result["changed"] is False
    assert (result["actions"], result["changes"]) == ([], [])
    assert "diff" not in result
    assert trail(directory) == before
    with Registry(f"sqlite:///{directory}/registry.db") as registry:
        assert registry.revision() == 2  # it has decided, and it has ended


def test_many(module: Module, directory: Path) -> None:
    result = module(lamps=[{"name": "b"}, {"name": "a", "light": "off"}])
    assert result["lamps"] == [{"name": "b", "light": "on"}, {"name": "a", "light": "off"}]
    assert "lamp" not in result
    assert lamps(directory) == {"a": "off", "b": "on"}
    # Read once to plan, once to see that it is done.
    assert (directory / "reads").read_text() == "xx"


def test_none_of_many(module: Module) -> None:
    result = module(lamps=[])
    assert (result["changed"], result["lamps"]) == (False, [])


def test_an_absent_one_is_described_as_nothing(module: Module) -> None:
    assert module(name="desk", state="absent")["lamp"] is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "one of the following is required: name, lamps"),
        ({"name": "a", "lamps": []}, "parameters are mutually exclusive: name|lamps"),
        ({"name": "a", "confirm": "yes"}, "value of confirm must be one of: DESTROY, got: yes"),
        ({"lamps": [{"name": "a"}, {"light": "off"}]}, "missing required arguments: name found in lamps"),
        ({"lamps": [{"name": "a", "light": "dim"}]}, "value of light must be one of: on, off, got: dim found in lamps"),
        (
            {"lamps": [{"name": "a"}, {"name": "b", "lihgt": "on"}]},
            "lamps.lihgt. Supported parameters include: code, light, name, node, state.",
        ),
    ],
)
def test_arguments(module: Module, more: Result, message: str) -> None:
    assert message in module(**more)["msg"]


def test_all_mistakes_come_at_once(module: Module, directory: Path) -> None:
    result = module(lamps=[{"name": "../x"}, {"name": "a"}, {"name": "<b>"}, {"name": "a"}])
    assert result["failed"]
    assert result["msg"].startswith("3 problems:\n")
    assert [error["resource"] for error in result["errors"]] == [
        "lamps[0] (../x).name",
        "lamps[2] (<b>).name",
        "lamps[3] (a).name",
    ]
    assert result["errors"][2]["what"] == '"a" is given twice'
    assert not (directory / "reads").exists()


# Check mode and diff


def test_check_mode_touches_nothing(module: Module, directory: Path) -> None:
    module(name="old")
    before = {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "reads"}
    result = module(lamps=[{"name": "desk"}, {"name": "old"}], _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"] is True
    assert result["actions"] == ["lamp desk on node1: switch on"]
    assert result["lamps"] == [{"name": "old", "light": "on"}]
    assert [diff["after"] for diff in result["diff"]] == ["light: on\n"]
    assert result["changes"] == [switched("desk", None, "on")]
    assert {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "reads"} == before


def test_a_check_tells_the_changes_that_the_run_makes(module: Module) -> None:
    module(name="wall")
    wants = [{"name": "desk"}, {"name": "wall", "light": "off"}, {"name": "dim"}]
    checked = module(lamps=wants, _ansible_check_mode=True)
    assert checked["changes"] == [
        switched("desk", None, "on"),
        switched("wall", "on", "off"),
        switched("dim", None, "on"),
    ]
    assert module(lamps=wants)["changes"] == checked["changes"]


def test_check_mode_of_what_is_done(module: Module) -> None:
    module(name="desk")
    assert module(name="desk", _ansible_check_mode=True)["changed"] is False


def test_check_mode_asks_for_consent_too(module: Module) -> None:
    """What the real run would refuse, the check refuses."""
    module(name="desk")
    assert module(name="desk", state="absent", _ansible_check_mode=True)["failed"]


def test_check_mode_without_a_registry(module: Module, directory: Path) -> None:
    (directory / "registry.db").unlink()
    result = module(name="desk", _ansible_check_mode=True)
    assert (result["changed"], result["unknown"], result["actions"]) == (True, True, [])
    assert (result["changes"], result["pending"]) == ([], [])
    assert "there is no registry yet" in result["msg"]
    assert not (directory / "registry.db").exists()
    assert "Run the coordinator stage" in module(name="desk")["msg"]


def test_check_mode_after_earlier_changes(module: Module) -> None:
    """Earlier stages, which were only checked, would have made what is missing."""
    more = {"earlier_changes": True, "_ansible_check_mode": True}
    result = module(name="forbidden", **more)
    assert (result["changed"], result["unknown"]) == (True, True)
    assert "earlier stages would change what it needs" in result["msg"]
    result = module(lamps=[{"name": "far"}, {"name": "desk"}], **more)
    assert "failed" not in result
    assert result["actions"] == ["lamp desk on node1: switch on"]
    assert module(name="forbidden", _ansible_check_mode=True)["failed"]
    assert module(name="forbidden", earlier_changes=True)["failed"]


def test_a_missing_library(module: Module) -> None:
    result = module(load_without_library, name="desk")
    assert result["failed"]
    assert "Failed to import the required Python library (bulbs)" in result["msg"]
    assert "the coordinator stage of site.yml installs it" in result["msg"]
    result = module(load_without_library, name="desk", _ansible_check_mode=True)
    assert (result["changed"], result["unknown"]) == (True, True)


def test_diff(module: Module) -> None:
    result = module(lamps=[{"name": "desk"}, {"name": "dim"}], _ansible_diff=True)
    assert result["diff"][0] == {
        "before_header": "lamp desk on node1",
        "after_header": "lamp desk on node1",
        "before": "",
        "after": "light: on\n",
    }
    result = module(lamps=[{"name": "desk", "light": "off"}, {"name": "dim"}], _ansible_diff=True)
    assert [(diff["before"], diff["after"]) for diff in result["diff"]] == [
        ("light: on\n", "light: off\n"),
        (
            "bulb: old   (next boot: needs allow_restart, or the next restart)\n",
            "bulb: new   (next boot: needs allow_restart, or the next restart)\n",
        ),
    ]


def test_pending_is_no_change(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    module(name="dim")
    # Ansible gives a warning once in a process, and this process is many modules.
    warned: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _, text: warned.append(text))
    result = module(name="dim", _ansible_diff=True)
    assert result["changed"] is False
    waits = {"option": "bulb", "before": "old", "after": "new", "when": "next_boot"}
    assert result["pending"] == [{"kind": "lamp", "name": "dim", "node": "node1", **waits}]
    assert result["changes"] == []
    assert warned == ["dim is dim"]
    assert len(result["diff"]) == 1


def test_a_long_diff_is_cut(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_runner, "_SHOWN_DIFFS", 2)
    result = module(lamps=[{"name": f"l{n}"} for n in range(5)], _ansible_diff=True)
    assert (len(result["diff"]), len(result["actions"])) == (2, 5)


def test_secrets_stay_secret(module: Module) -> None:
    text = json.dumps(module(lamps=[{"name": "desk", "code": "hush-hush"}], _ansible_diff=True))
    text += json.dumps(module(name="desk", light="off", code="hush-hush", _ansible_diff=True))
    assert "hush-hush" not in text


# Consent and refusal


def test_consent(module: Module, directory: Path) -> None:
    module(lamps=[{"name": "desk"}, {"name": "wall"}, {"name": "off", "light": "off"}])
    goes = [{"name": name, "state": "absent"} for name in ("desk", "wall", "off")]
    result = module(lamps=goes)
    assert result["failed"]
    assert [(error["resource"], error["what"]) for error in result["errors"]] == [
        ("lamp desk", "this would destroy the light of desk"),
        ("lamp wall", "this would destroy the light of wall"),
    ]
    assert "set confirm: DESTROY" in result["msg"]
    assert list(lamps(directory)) == ["desk", "off", "wall"]
    assert module(lamps=goes, confirm="DESTROY")["changed"]
    assert lamps(directory) == {}


def test_a_refusal_stops_everything(module: Module, directory: Path) -> None:
    result = module(lamps=[{"name": "desk"}, {"name": "forbidden"}])
    assert result["msg"] == "lamp forbidden: it must not be switched. Leave it."
    assert result.get("changed", False) is False
    assert lamps(directory) == {}
    assert trail(directory) == []


# Failures


def test_the_others_are_finished(module: Module, directory: Path) -> None:
    wants = [{"name": name, "node": f"node{n}"} for n, name in enumerate(("desk", "broken", "wall", "far"))]
    result = module(lamps=wants, _ansible_diff=True)
    assert result["failed"]
    assert result["changed"] is True
    assert result["errors"] == [
        {"node": "node1", "resource": "lamp broken", "what": "the bulb is broken", "remedy": "Replace it."},
        FAR.as_dict(),
    ]
    assert result["msg"].startswith("2 problems:\n  node1: lamp broken: the bulb is broken. Replace it.\n")
    assert lamps(directory) == {"desk": "on", "wall": "on"}
    assert [lamp["name"] for lamp in result["lamps"]] == ["desk", "wall"]
    assert len(result["diff"]) == 3
    assert sorted(trail(directory)[3:]) == [
        ("broken", "switch on", "failed"),
        ("desk", "switch on", "done"),
        ("wall", "switch on", "done"),
    ]
    assert held(directory) == []


def test_a_failure_to_plan_alone(module: Module) -> None:
    result = module(name="far")
    assert result["failed"]
    assert result["changed"] is False
    assert result["msg"] == str(FAR)


def test_not_converged(module: Module, directory: Path) -> None:
    result = module(lamps=[{"name": "stubborn", "node": "node2"}, {"name": "desk"}])
    assert result["failed"]
    assert result["changed"] is True
    assert [(error["node"], error["resource"], error["what"]) for error in result["errors"]] == [
        ("node2", "lamp stubborn", "still not as declared after applying everything: switch on")
    ]


def test_a_node_that_goes_in_between(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be looked at again is not taken for done."""
    plans = []
    real = LampResource.plan

    def plan(self: LampResource, *arguments: Any) -> Any:
        plans.append(real(self, *arguments))
        if len(plans) == 2:
            return real(self, [_Want("far")], *arguments[1:])  # type: ignore[list-item]
        return plans[0]

    class _Want:
        state = "present"

        def __init__(self, name: str) -> None:
            self.name = name

    monkeypatch.setattr(LampResource, "plan", plan)
    assert module(name="desk")["errors"] == [FAR.as_dict()]


def test_a_programming_error_is_one_works_problem(module: Module, directory: Path) -> None:
    """Told as what it is, and of which work; the others go on, and the audit trail says how each ended."""
    result = module(lamps=[{"name": "dirty"}, {"name": "desk"}, {"name": "wall", "node": "node2"}])
    (error,) = result["errors"]
    assert (error["node"], error["resource"]) == ("node1", "lamp dirty")
    assert error["what"].startswith("this is a defect of the collection: KeyError: 'dirty' (lamps.py:")
    assert "Report it" in error["remedy"]
    assert lamps(directory) == {"desk": "on", "wall": "on"}
    assert sorted(trail(directory)[3:]) == [
        ("desk", "switch on", "done"),
        ("dirty", "switch on", "failed"),
        ("wall", "switch on", "done"),
    ]
    assert held(directory) == []


def test_a_programming_error_elsewhere_is_no_traceback(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(*_: Any) -> Any:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(LampResource, "plan", plan)
    assert "this is a defect of the collection: ZeroDivisionError" in module(name="desk")["msg"]


def test_what_cannot_be_registered_was_not_begun(
    module: Module, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is decided together: no audit event, no claim and no new revision are left."""

    def reserve(*_: Any) -> None:
        raise RuntimeError("cut")

    monkeypatch.setattr(LampResource, "reserve", reserve)
    assert module(name="desk")["failed"]
    assert (trail(directory), held(directory), lamps(directory)) == ([], [], {})


# Parallel work


def test_nodes_work_in_parallel(module: Module, directory: Path) -> None:
    """Two at a time on a node, all nodes at once."""
    wants = [{"name": f"l{n}", "node": f"node{n % 3}"} for n in range(12)]
    start = time.monotonic()
    module(lamps=wants, delay=0.25)
    assert time.monotonic() - start < 12 * 0.25 / 2
    running: dict[str, set[str]] = {}
    most: dict[str, int] = {}
    for line in (directory / "log").read_text().splitlines():
        _, node, name, what = line.split()
        now = running.setdefault(node, set())
        now.add(name) if what == "begins" else now.discard(name)
        most[node] = max(most.get(node, 0), len(now))
    assert most == {"node0": 2, "node1": 2, "node2": 2}


# Two runs at once


@pytest.fixture
def start(arguments: Result) -> Callable[..., subprocess.Popen[str]]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    script = Path(__file__).parents[2] / "lamps.py"

    def run(**more: Any) -> subprocess.Popen[str]:
        command = [sys.executable, str(script), json.dumps(arguments | more)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    return run


def result_of(process: subprocess.Popen[str]) -> Result:
    found: Result = json.loads(process.communicate(timeout=60)[0])
    return found


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_runs_on_one_resource(start: Callable[..., subprocess.Popen[str]], directory: Path) -> None:
    """The second waits, looks again, and finds it done: no change, and no second act."""
    first = start(name="desk", delay=1.0)
    wait_until((directory / "log").exists)
    second = start(name="desk", delay=1.0)
    assert result_of(first)["changed"] is True
    result = result_of(second)
    assert result["changed"] is False
    assert result["actions"] == []
    assert result["lamp"] == {"name": "desk", "light": "on"}
    assert (directory / "log").read_text().count("begins") == 1
    assert [outcome for _, _, outcome in trail(directory)] == ["started", "done"]


def test_two_runs_that_want_different_things(start: Callable[..., subprocess.Popen[str]], directory: Path) -> None:
    first = start(name="desk", delay=1.0)
    wait_until((directory / "log").exists)
    second = start(lamps=[{"name": "desk", "light": "off"}, {"name": "wall"}])
    assert result_of(first)["changed"] is True
    assert result_of(second)["changed"] is True
    assert lamps(directory) == {"desk": "off", "wall": "on"}


def test_two_runs_on_different_resources(start: Callable[..., subprocess.Popen[str]], directory: Path) -> None:
    started = time.monotonic()
    runs = [start(name=name, delay=2.0) for name in ("desk", "wall")]
    assert [result_of(run)["changed"] for run in runs] == [True, True]
    lines = [line.split() for line in (directory / "log").read_text().splitlines()]
    assert sorted(what for *_, what in lines[:2]) == ["begins", "begins"], time.monotonic() - started


def test_who_is_at_it(start: Callable[..., subprocess.Popen[str]], module: Module, directory: Path) -> None:
    first = start(name="desk", delay=3.0)
    wait_until((directory / "log").exists)
    result = module(name="desk", light="off", lease_timeout=0)
    assert result["failed"]
    assert result["errors"][0]["resource"] == "lamp desk"
    assert result["msg"].startswith("lamp desk: ann at ")
    assert f"(process {first.pid}, " in result["msg"]
    result_of(first)


def test_a_lease_that_the_first_plan_did_not_need(start: Callable[..., subprocess.Popen[str]], directory: Path) -> None:
    """While it waits for one lamp, another that was as wanted is switched: then it is leased as well, and mended."""
    start(name="wall").wait(60)
    first = start(lamps=[{"name": "desk"}, {"name": "wall", "light": "off"}], delay=1.5)
    wait_until(lambda: (directory / "log").read_text().count("begins") == 3)
    second = start(lamps=[{"name": "desk", "light": "off"}, {"name": "wall"}])
    assert result_of(first)["changed"] is True
    assert result_of(second)["changed"] is True
    assert lamps(directory) == {"desk": "off", "wall": "on"}


def test_a_killed_run(start: Callable[..., subprocess.Popen[str]], module: Module, directory: Path) -> None:
    """Its lease runs out; the next run finishes its work, and the trail says what never ended."""
    first = start(lamps=[{"name": "desk"}, {"name": "wall"}], delay=30.0)
    wait_until((directory / "log").exists)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert held(directory) == ["lamp desk", "lamp wall"]
    assert module(lamps=[{"name": "desk"}, {"name": "wall"}], lease_timeout=10)["changed"] is True
    assert lamps(directory) == {"desk": "on", "wall": "on"}
    assert held(directory) == []
    assert [outcome for name, _, outcome in trail(directory) if name == "desk"] == ["started", "started", "done"]


# The modules that only read


def test_info(module: Module) -> None:
    module(lamps=[{"name": "desk"}, {"name": "wall", "light": "off"}])
    result = module(module=be_info_module)
    assert result["changed"] is False
    assert result["lamps"] == [{"name": "desk", "light": "on"}, {"name": "wall", "light": "off"}]
    assert result["unreachable_nodes"] == []
    assert module(module=be_info_module, names=["wall", "x"])["lamps"] == [{"name": "wall", "light": "off"}]


def test_info_without_a_registry(module: Module, directory: Path) -> None:
    (directory / "registry.db").unlink()
    result = module(module=be_info_module, _ansible_check_mode=True)
    assert (result["lamps"], result["unknown"]) == ([], True)
    assert "there is no registry" in module(module=be_info_module)["msg"]


@pytest.mark.parametrize(("given", "expected"), [("ann", "ann"), (None, "bob")])
def test_who_it_was(
    module: Module, directory: Path, monkeypatch: pytest.MonkeyPatch, given: str | None, expected: str
) -> None:
    monkeypatch.setenv("SUDO_USER", "bob")
    module(name="desk", actor=given)
    with Registry(f"sqlite:///{directory}/registry.db") as registry:
        (event, _) = audit.read(registry)
    assert event["actor"].startswith(f"{expected} at ")
    assert f"(process {os.getpid()}, " in event["actor"]
    assert (event["kind"], event["resource"], event["node"]) == ("lamp", "lamp-desk", "node1")


def test_what_it_came_from(module: Module, directory: Path) -> None:
    """In each of its entries, and as one short line whatever was handed over."""
    module(name="desk", job="AWX job 42", revision="x" * 1000)
    module(name="hall", actor="a\nb" * 1000)
    with Registry(f"sqlite:///{directory}/registry.db") as registry:
        (*hall, done, started) = audit.read(registry)
    assert started["job"] == done["job"] == "AWX job 42"
    assert len(started["revision"]) == 120
    assert all((event["job"], event["revision"]) == (None, None) for event in hall)
    assert all(event["actor"].startswith("a ba b") and len(event["actor"]) <= 255 for event in hall)


@pytest.mark.parametrize("more", [{"name": "hall"}, {"name": "hall", "no_such_option": 1}], ids=["called", "wrongly"])
def test_a_password_of_the_registry_is_shown_nowhere(module: Module, more: Result) -> None:
    """Not even in what Ansible shows of the call for -vvv, of modules that change something and of those that look."""
    url = "postgresql://pextra:hush-5817@127.0.0.1:1/pextra"
    for result in (module(registry=url, **more), module(module=be_info_module, registry=url, **more)):
        assert result["failed"]
        assert "hush-5817" not in json.dumps(result)
        assert "127.0.0.1:1/pextra" in json.dumps(result)
