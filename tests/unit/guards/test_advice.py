# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No advice destroys: whoever does what a message says must not lose what the message was wrong about."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from guards.project import ROOT, files, parsed, shown

DESTRUCTIVE = re.compile(
    r"\b(remov|delet|destroy|undefin|wip|purg|reformat|mkfs|lvremove|vgremove|pvremove|rm -|start over|again from)"
    r"|\bmake (it|them) again\b|state: absent",
    re.IGNORECASE,
)
ERRORS = {"Problem", "_problem", "_refuse", "refuse"}
# Advice that names such a word, and why following it loses nothing that is wanted.
ALLOWED = {
    "If that is what you want, set confirm: DESTROY.": "the message has listed what is lost",
    "Do not stop instance : running, it may still have what was deleted.": "it keeps, and speaks of what has happened",
    "Attached, it would be written, and they would be destroyed.": "says why not",
    "two guests on one volume destroy its file system.": "says why not",
    "Shrinking destroys what lies beyond; declare the old size again.": "says why not",
    "Finish it with state: absent, then declare it again.": "of a pool whose destruction was asked for and has begun",
    "remove its labels; if it was renamed, keep the name.": "labels of a copied host; those of the original stay",
    "undefine the other by hand.": "of two definitions, without their volumes",
    "wipe it yourself if nothing on it is needed": "of a disk that was declared for Ceph and holds something else",
    "Remove it with that Ceph's own tools first.": "that Ceph knows whether its data is elsewhere",
    "Choose another number, or remove that bridge.": "a bridge holds no data; the other way keeps it",
    "virsh net-undefine": "of a network, which holds no data",
}


def is_error(name: str) -> bool:
    return name in ERRORS or name.endswith(("Error", "_refuse", "_problem"))


def name_of(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def text_of(node: ast.AST) -> str:
    """Return a text with all its branches; what is filled in is left as it stands."""
    return "".join(
        part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )


def advice_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and is_error(name_of(node)):
            for given in node.args[1:2]:
                yield given.lineno, text_of(given)
            for keyword in node.keywords:
                if keyword.arg == "remedy":
                    yield keyword.value.lineno, text_of(keyword.value)
        elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            names = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(name, ast.Name) and "remedy" in name.id.lower() for name in names):
                yield node.value.lineno, text_of(node.value)


def all_advice() -> list[tuple[str, str]]:
    return [
        (f"{shown(path)}:{line}", text)
        for path in files(".py", below=ROOT / "plugins")
        for line, text in advice_in(parsed(path))
    ]


def test_no_advice_destroys() -> None:
    found = all_advice()
    assert len(found) > 200, "it does not see them any more"
    wrong = [
        f"{where}: {text}"
        for where, text in found
        if DESTRUCTIVE.search(text) and not any(allowed.lower() in text.lower() for allowed in ALLOWED)
    ]
    assert not wrong


def test_no_exception_is_left_over() -> None:
    texts = [text.lower() for _, text in all_advice()]
    assert [allowed for allowed in ALLOWED if not any(allowed.lower() in text for text in texts)] == []
