# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures pextra_vm against the loop of community.libvirt.virt and against raw libvirt-python, in one run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

from . import planning
from .instances import DEVICES, declare, render
from .node import LIBRARY, BenchNode, bench_node
from .processes import BenchError
from .progress import step
from .project import Project, make_key, make_project, parameters, send_library, temporary_directory

FEW = 50
MANY = 1000
# Only for its memory: defining as many takes most of a minute.
MOST = 10_000
# The median of them counts, for every peer alike.
ROUNDS = 3


@dataclass(frozen=True)
class Figures:
    """Seconds for one number of instances, by act (define, unchanged). devices: of each, that are named."""

    count: int
    devices: int
    inside: dict[str, float]
    raw: dict[str, float]
    through_ansible: dict[str, float]
    loop: dict[str, float]
    is_loop_extrapolated: bool
    imports: float
    peak_mib: float


def measure() -> tuple[list[Figures], float, planning.PlanningFigures]:
    with temporary_directory() as directory, step("Start the node"), bench_node(make_key(directory)) as node:
        project = make_project(directory, node)
        with step("Make the node a cloud of its own"):
            project.play("prepare.yml", {})
            send_library(node)
        few = _measure(project, FEW, None)
        found = [few, _measure(project, MANY, few), _measure(project, MANY, few, devices=True)]
        return found, _measure_peak(node), planning.measure()


def _measure_peak(node: BenchNode) -> float:
    """Return how many MiB the module needs at most: to define the most, and to find them as they are."""
    node.send({"most.json": parameters("pextra_vm", vms=declare(MOST))})
    with step(f"{MOST} instances: the memory of the module's process"):
        return max(float(_run_module(node, "most.json")["peak_mib"]) for _ in range(2))


def _measure(project: Project, count: int, extrapolate: Figures | None, *, devices: bool = False) -> Figures:
    node = project.node
    domains = render(count, devices=devices)
    declared = declare(count, devices=devices)
    node.send({
        "present.json": parameters("pextra_vm", vms=declared),
        "absent.json": parameters("pextra_vm", vms=declare(count, state="absent")),
        "domains.json": json.dumps(domains).encode(),
    })  # fmt: skip
    inside: dict[str, list[float]] = {}
    raw: dict[str, list[float]] = {}
    through: dict[str, float] = {}
    imports, peaks = [], []

    def keep(figures: dict[str, list[float]], act: str, seconds: float) -> None:
        figures.setdefault(act, []).append(seconds)

    def module(changes: bool) -> float:
        found = _run_module(node, "present.json")
        if found["changed"] is not changes:
            raise BenchError(f"pextra_vm reported changed={found['changed']} where {changes} is right.")
        imports.append(found["imports"])
        peaks.append(found["peak_mib"])
        return float(found["inside"])

    what = f"{count} instances" + f" with {len(DEVICES)} devices each" * devices
    with step(f"{what}: raw libvirt-python and the module itself, {ROUNDS} rounds"):
        for _ in range(ROUNDS):
            keep(raw, "define", _run_raw(node, "define", count))
            keep(raw, "unchanged", _run_raw(node, "read", count))
            _run_raw(node, "clear", count)
            keep(inside, "define", module(True))
            keep(inside, "unchanged", module(False))
            _run_module(node, "absent.json")

    def played(playbook: str, variables: dict[str, Any]) -> Callable[[bool | None], float]:
        def play(changes: bool | None) -> float:
            result = project.play(playbook, variables)
            if changes is not None and result.changed is not changes:
                raise BenchError(f"{playbook} reported changed={result.changed} where {changes} is right.")
            return result.measured.seconds

        return play

    with step(f"{what}: the module through Ansible"):
        ours = played("module.yml", {"bench_vms": declared})
        through = {"define": ours(True), "unchanged": ours(False)}
        _run_module(node, "absent.json")

    if extrapolate is None:
        with step(f"{count} instances: the loop of community.libvirt.virt"):
            theirs = played("loop.yml", {"bench_domains": domains})
            # Whether it reports a change is its own affair.
            loop = {"define": theirs(None), "unchanged": theirs(None)}
            _run_raw(node, "clear", count)
    else:
        loop = {act: seconds * count / extrapolate.count for act, seconds in extrapolate.loop.items()}
    in_module, floor = ({act: median(seconds) for act, seconds in figures.items()} for figures in (inside, raw))
    return Figures(
        count,
        len(DEVICES) * devices,
        in_module,
        floor,
        through,
        loop,
        extrapolate is not None,
        median(imports),
        max(peaks),
    )


def _run_module(node: BenchNode, file: str) -> dict[str, Any]:
    output = node.execute("python3", f"{LIBRARY}/run_module.py", "pextra_vm", f"{LIBRARY}/{file}")
    found: dict[str, Any] = json.loads(output)
    return found


def _run_raw(node: BenchNode, act: str, count: int) -> float:
    arguments = [f"{LIBRARY}/domains.json"] if act == "define" else []
    found = json.loads(node.execute("python3", f"{LIBRARY}/raw_libvirt.py", act, *arguments))
    if found["count"] != count:
        raise BenchError(f"raw libvirt-python found {found['count']} domains where there are {count}.")
    return float(found["seconds"])
