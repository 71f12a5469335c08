# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pextra_image and pextra_deployment on the controller, over a real connection to this host, which is the coordinator.

Only their module is made up: it answers what a test says, and notes what it was asked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible.module_utils import _internal
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible_collections.pextra.cloud.plugins.action import pextra_deployment, pextra_image, pextra_vm
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host import image_files as _cache
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.origin import Origin
from ansible_collections.pextra.cloud.plugins.plugin_utils import image_files, runner
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction

Result = dict[str, Any]
CONTENT = b"an image"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
DEBIAN = {"name": "debian", "source": "debian.img"}
GIVEN = {**DEBIAN, "sha256": SHA256}
STAGE = "image debian: copy the file to the coordinator, copy into pool local"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="the copy is given to root")


@dataclass
class Call:
    """What the module was asked."""

    is_check: bool
    arguments: Result


@dataclass
class Coordinator:
    """directory: where the inventory and the cache are. answer: makes the module's answer to a call."""

    directory: Path
    answer: Callable[[Call], Result] = lambda call: {"changed": False, "actions": []}
    calls: list[Call] = field(default_factory=list)
    is_check_left: bool | None = None

    @property
    def cached(self) -> Path:
        return self.directory / "images" / SHA256

    @property
    def digests(self) -> Path:
        return self.directory / "cache" / "pextra" / "image-digests.json"

    @property
    def asked(self) -> list[tuple[bool, list[str]]]:
        """Whether each call was a check, and which lists or options it had."""
        return [(call.is_check, sorted(call.arguments)) for call in self.calls]

    def run(self, action: type[ModuleAction], arguments: Result, *, check: bool = False) -> Result:
        """Run the action as Ansible does it, and return its result."""
        coordinator = self

        class Tried(action):  # type: ignore[misc, valid-type]
            def _execute_module(self, module_args: Result, task_vars: Result) -> Result:
                assert task_vars["inventory_dir"] == str(coordinator.directory)
                call = Call(self._task.check_mode, dict(module_args))
                coordinator.calls.append(call)
                return coordinator.answer(call)

        task = Task()
        task.action, task.args, task.check_mode, task.async_val = "pextra.cloud.pextra_it", arguments, check, 0
        context = PlayContext()
        connection = connection_loader.get("ansible.builtin.local", context, os.devnull)
        connection.set_options()
        connection._shell.set_options(direct={"remote_tmp": str(self.directory / "tmp")})
        loader = DataLoader()
        tried = Tried(task, connection, context, loader, templar=None, shared_loader_obj=None)
        try:
            result: Result = tried.run(task_vars={"inventory_dir": str(self.directory)})
        finally:
            tried.cleanup()
            self.is_check_left = task.check_mode
        return result


@pytest.fixture
def coordinator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Coordinator]:
    monkeypatch.setattr(_internal, "is_controller", True)
    # Where runs come from has tests of its own.
    monkeypatch.setattr(runner, "find_origin", lambda *_: Origin())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for holder in (_cache, image_files):
        monkeypatch.setattr(holder, "DIRECTORY", str(tmp_path / "images"))
    (tmp_path / "debian.img").write_bytes(CONTENT)
    yield Coordinator(tmp_path)
    assert not list((tmp_path / "tmp").glob("*")), "something is left"


def staging(call: Call) -> Result:
    return {"changed": True, "actions": [STAGE] if call.is_check else ["image debian: copied"]}


# The runner


def test_the_module_gets_the_options_and_gives_the_result(coordinator: Coordinator) -> None:
    coordinator.answer = lambda call: {"changed": not call.is_check, "vms": []}
    assert coordinator.run(pextra_vm.ActionModule, {"name": "web"}) == {"changed": True, "vms": []}
    assert coordinator.run(pextra_vm.ActionModule, {"name": "web"}, check=True) == {"changed": False, "vms": []}
    assert coordinator.calls == [Call(False, {"name": "web"}), Call(True, {"name": "web"})]


@pytest.mark.parametrize("is_check", [True, False])
def test_what_is_expected_is_asked_in_check_mode_alone(coordinator: Coordinator, is_check: bool) -> None:
    class Asking(ModuleAction):
        plural = "lamps"

        def act(self, arguments: Result) -> Result:
            return {"applies": self.applies, "expected": self.expect(arguments), **self.call(arguments)}

    coordinator.answer = lambda call: {"actions": [1, "b"]} if call.is_check and call.arguments else {}
    result = coordinator.run(Asking, {"name": "web"}, check=is_check)
    assert (result["applies"], result["expected"]) == (not is_check, ["1", "b"])
    assert [call.is_check for call in coordinator.calls] == [True, is_check]
    assert coordinator.run(Asking, {}, check=is_check)["expected"] == []


def test_a_module_that_breaks_leaves_the_task_as_it_was(coordinator: Coordinator) -> None:
    class Asking(ModuleAction):
        plural = "lamps"

        def act(self, arguments: Result) -> Result:
            return {"expected": self.expect(arguments)}

    def fail(call: Call) -> Result:
        raise AnsibleActionFail("the connection broke")

    coordinator.answer = fail
    with pytest.raises(AnsibleActionFail, match="the connection broke"):
        coordinator.run(Asking, {})
    assert coordinator.is_check_left is False


def test_errors_become_results(coordinator: Coordinator) -> None:
    problems = [Problem("it is broken", "Mend it.", resource="lamp desk"), Problem("it is gone")]

    class Failing(ModuleAction):
        plural = "lamps"

        def act(self, arguments: Result) -> Result:
            raise PextraError(problems[: arguments["count"]])

    one, two = (coordinator.run(Failing, {"count": count}) for count in (1, 2))
    assert one["failed"]
    assert one["msg"] == "lamp desk: it is broken. Mend it."
    assert two["msg"] == "2 problems:\n  lamp desk: it is broken. Mend it.\n  it is gone"
    assert two["errors"] == [problem.as_dict() for problem in problems]


# Images


@needs_root
def test_a_file_that_is_needed_is_copied_first(coordinator: Coordinator) -> None:
    coordinator.answer = staging
    result = coordinator.run(pextra_image.ActionModule, dict(DEBIAN))
    assert result == {"changed": True, "actions": ["image debian: copied"]}
    given = {**GIVEN, "source": str(coordinator.directory / "debian.img")}
    assert coordinator.calls == [Call(True, given), Call(False, given)]
    assert coordinator.is_check_left is False
    assert coordinator.cached.read_bytes() == CONTENT
    assert coordinator.cached.stat().st_mode & 0o777 == 0o600
    assert coordinator.digests.exists()
    # Again: it is in the cache, so the module is not asked before.
    coordinator.calls.clear()
    coordinator.run(pextra_image.ActionModule, {"images": [dict(DEBIAN)]})
    assert coordinator.calls == [Call(False, {"images": [given]})]


def test_a_check_copies_nothing_and_keeps_no_digest(coordinator: Coordinator) -> None:
    coordinator.answer = staging
    result = coordinator.run(pextra_image.ActionModule, dict(DEBIAN), check=True)
    assert result == {"changed": True, "actions": [STAGE]}
    given = {**GIVEN, "source": str(coordinator.directory / "debian.img")}
    assert coordinator.calls == [Call(True, given)]
    assert sorted(path.name for path in coordinator.directory.iterdir()) == ["debian.img"]


def test_a_file_that_is_not_needed_stays(coordinator: Coordinator) -> None:
    """The pools have the image already."""
    coordinator.run(pextra_image.ActionModule, dict(DEBIAN))
    assert [call.is_check for call in coordinator.calls] == [True, False]
    assert not coordinator.cached.exists()


@pytest.mark.parametrize("is_check", [True, False])
def test_files_that_are_wrong(coordinator: Coordinator, is_check: bool) -> None:
    images = [{"name": "a", "source": "none.img"}, {"name": "b", "source": "debian.img", "sha256": "0" * 64}, DEBIAN]
    result = coordinator.run(pextra_image.ActionModule, {"images": images}, check=is_check)
    assert result["failed"]
    assert result["msg"].startswith("2 problems:\n  image a: its file ")
    assert [error["resource"] for error in result["errors"]] == ["image a", "image b"]
    assert coordinator.calls == []


# The deployment


@needs_root
def test_a_deployment_makes_the_pools_before_it_copies(coordinator: Coordinator) -> None:
    document = {"pools": [{"name": "local"}], "images": [DEBIAN], "instances": [{"name": "web"}], "actor": "ann"}

    def answer(call: Call) -> Result:
        if call.is_check:
            assert not coordinator.cached.exists()
            return {"changed": True, "actions": [STAGE]}
        if "pools" in call.arguments:
            return {
                "changed": True,
                "actions": ["pool local: register"],
                "changes": [{"name": "local"}],
                "tree": "before",
            }
        assert coordinator.cached.exists()
        told = {"actions": ["instance web on node1: define"], "changes": [{"name": "web"}]}
        return {"changed": False, **told, "tree": "after"}

    coordinator.answer = answer
    result = coordinator.run(pextra_deployment.ActionModule, document)
    assert result == {
        "changed": True,
        "actions": ["pool local: register", "instance web on node1: define"],
        "changes": [{"name": "local"}, {"name": "web"}],
        "tree": "after",
    }
    assert coordinator.asked == [
        (False, ["actor", "images", "pools"]),
        (True, ["actor", "images"]),
        (False, ["actor", "images", "instances"]),
    ]
    assert [len(call.arguments["images"]) for call in coordinator.calls] == [0, 1, 1]


def test_a_check_of_a_deployment_is_one_call(coordinator: Coordinator) -> None:
    document = {"pools": [{"name": "local"}], "images": [DEBIAN], "instances": [{"name": "web"}]}
    coordinator.answer = staging
    result = coordinator.run(pextra_deployment.ActionModule, document, check=True)
    assert result == {"changed": True, "actions": [STAGE]}
    assert coordinator.asked == [(True, ["images", "instances", "pools"])]
    assert sorted(path.name for path in coordinator.directory.iterdir()) == ["debian.img"]


def test_a_deployment_goes_on_without_a_bad_file(coordinator: Coordinator) -> None:
    document = {"images": [{"name": "a", "source": "none.img"}], "instances": [{"name": "web"}]}
    coordinator.answer = lambda call: {"changed": True, "actions": ["instance web on node1: define"]}
    result = coordinator.run(pextra_deployment.ActionModule, document)
    assert coordinator.calls == [Call(False, {"images": [], "instances": [{"name": "web"}]})]
    assert (result["failed"], result["changed"]) == (True, True)
    assert [error["resource"] for error in result["errors"]] == ["image a"]
    assert result["actions"] == ["instance web on node1: define"]
