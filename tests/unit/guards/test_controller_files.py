# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller are where people say, seen from where they started the run.

Modules on a local connection run in the directory of the playbook, which is that of the installed collection. Actions
run where Ansible was started.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from guards.project import ROLES, ROOT, files, read_yaml, shown

PLAYBOOKS = ROOT / "playbooks"
PATHS = ("dest", "path", "privatekey_path", "ownca_privatekey_path")
# Roles that run on the controller as a whole.
OF_CONTROLLER = {"awx"}
# Variable: why nobody has to resolve it once more.
WHOLE = {
    "__trust_ca_dir": "validation takes whole paths only, and it resolves ~",
    "node_ca_dir": "playbooks give it from __trust_ca_dir",
}
# File of tasks that others include on the controller.
INCLUDED = {"roles/node/tasks/revocations.yml"}


def walk(tasks: list[dict[str, Any]], *, is_local: bool) -> Iterator[dict[str, Any]]:
    """Yield the tasks that run on the controller."""
    for task in tasks:
        local = is_local or task.get("delegate_to") == "localhost"
        for section in ("block", "rescue", "always"):
            yield from walk(task.get(section) or [], is_local=local)
        if local:
            yield task


def of_controller() -> Iterator[tuple[str, Mapping[str, Any], dict[str, Any]]]:
    """Yield (file, variables that it gives itself, task)."""
    for path in files(".yml", below=PLAYBOOKS):
        content = read_yaml(path)
        for play in content if isinstance(content, list) else ():
            for section in ("pre_tasks", "tasks", "post_tasks"):
                for task in walk(play.get(section) or [], is_local=play.get("hosts") == "localhost"):
                    yield shown(path), play.get("vars") or {}, task
    for path in files(".yml", below=ROLES):
        role = path.relative_to(ROLES).parts[0]
        if path.parent.name == "tasks":
            own = ROLES / role / "vars" / "main.yml"
            is_local = role in OF_CONTROLLER or shown(path) in INCLUDED
            for task in walk(read_yaml(path) or [], is_local=is_local):
                yield shown(path), read_yaml(own) if own.exists() else {}, task


def is_whole(text: str, variables: Mapping[str, Any]) -> bool:
    """Tell whether a path begins with what has been resolved."""
    if "realpath" in text or text.startswith("/"):
        return True
    begin = re.match(r"\{\{ (?:omit if \w+ else )?(\w+)", text)
    name = begin[1] if begin else ""
    return name in WHOLE or (name in variables and is_whole(str(variables[name]), variables))


def test_files_of_the_controller_are_where_people_say() -> None:
    found, astray = 0, []
    for file, given, task in of_controller():
        for module, arguments in task.items():
            # Ours are actions.
            if "." not in module or module.startswith("pextra.cloud.") or not isinstance(arguments, dict):
                continue
            for key in set(PATHS) & set(arguments):
                texts = task["loop"] if str(arguments[key]).startswith("{{ item }}") else [arguments[key]]
                found += 1
                wrong = [text for text in texts if not is_whole(str(text), {**given, **(task.get("vars") or {})})]
                astray += [f"{file}: {task['name']}: {text}" for text in wrong]
    assert found > 10, "there is none of these left to look at"
    assert astray == []
