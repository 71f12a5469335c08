# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents are true where a machine can tell: links, make targets, modules, playbooks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from guards.project import ROOT, files, module_names, read_yaml, role_names, shown

from tests.compatibility.controllers import CONTROLLERS

LINK = re.compile(r"(?<!\!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def documents() -> list[Path]:
    return list(files(".md"))


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes from a document's headings."""
    text = FENCE.sub("", path.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for link in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def make_targets() -> dict[str, str]:
    """Each phony target of the Makefile with its line of help."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^\.PHONY: (\S+)$", text, re.MULTILINE)
    return {name: (re.search(rf"^{name}:.*## (.+)$", text, re.MULTILINE) or ["", ""])[1] for name in phony}


def test_every_make_target_is_described() -> None:
    assert [name for name, text in make_targets().items() if not text] == []


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_make_targets_exist(path: Path) -> None:
    code = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", path.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(code) <= set(make_targets())


@pytest.mark.parametrize("path", documents(), ids=shown)
def test_names_of_the_collection_exist(path: Path) -> None:
    """pextra.cloud.<name> is a module, a role, a playbook or a filter; pextra_<noun> in a task is a module."""
    playbooks = {file.stem for file in (ROOT / "playbooks").glob("*.yml")}
    plugins = {file.stem for kind in ("filter", "action", "callback", "inventory") for file in files(".py", below=ROOT / "plugins" / kind)}  # fmt: skip  # noqa: E501
    known = {*module_names(), *role_names(), *playbooks, *plugins, "cloud", "common", "changing", "attributes"}
    text = path.read_text(encoding="utf-8")
    assert {name for name in re.findall(r"\bpextra\.cloud\.(\w+)", text) if name not in known} == set()


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"({page})" not in index} == set()


def test_the_controllers_that_are_tested_are_those_that_are_named() -> None:
    text = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| (\d+\.\d+) \(\S+\) \| (\d+) \| (\d+\.\d+) \|", text, re.MULTILINE)
    assert named == [(row.core, row.ansible, row.python) for row in CONTROLLERS]
    assert [row.core for row in CONTROLLERS if not (ROOT / f"tests/sanity/ignore-{row.core}.txt").is_file()] == []


def test_the_dependencies_are_the_same_everywhere() -> None:
    galaxy = read_yaml(ROOT / "galaxy.yml")["dependencies"]
    listed = {entry["name"]: entry["version"] for entry in read_yaml(ROOT / "requirements.yml")["collections"]}
    assert galaxy == listed


def test_collections_in_use_are_dependencies() -> None:
    allowed = {"ansible.builtin", "pextra.cloud", *read_yaml(ROOT / "galaxy.yml")["dependencies"]}
    pattern = re.compile(r"\b((?:ansible|community|containers)\.[a-z_]+)\.[a-z_0-9]+\b")
    used = {
        (match[1], shown(path))
        for folder in ("playbooks", "roles", "inventories")
        for path in files(".yml", ".j2", below=ROOT / folder)
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    }
    assert {entry for entry in used if entry[0] not in allowed} == set()
