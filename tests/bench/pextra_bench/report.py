# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as tables for a person. Ratios are within one run, on one machine: they are what can be compared."""

from __future__ import annotations

from collections.abc import Sequence

from . import pools
from .modules import ROUNDS, Figures
from .site import SiteFigures

_ACTS = {"define": "define", "unchanged": "no change"}


def show_modules(all_figures: Sequence[Figures]) -> str:
    lines = [
        f"pextra_vm, the loop of community.libvirt.virt, raw libvirt-python (median of {ROUNDS} for module and raw)",
        "",
        f"{'instances':>9}  {'act':<9}  {'raw':>8}  {'module':>8}  {'by task':>8}  {'loop':>9}   "
        f"{'module : raw':>12}  {'loop : task':>11}  {'loop : module':>13}",
    ]
    for figures in all_figures:
        mark = "*" if figures.is_loop_extrapolated else " "
        for act, shown in _ACTS.items():
            raw, inside, task, loop = (
                table[act] for table in (figures.raw, figures.inside, figures.through_ansible, figures.loop)
            )
            lines.append(
                f"{figures.count:>9,}  {shown:<9}  "
                f"{raw:>6.3f} s  {inside:>6.3f} s  {task:>6.2f} s  {loop:>7.1f} s{mark}  "
                f"{inside / raw:>10.1f} : 1  {loop / task:>9.0f} : 1  {loop / inside:>11.0f} : 1"
            )
    lines += [
        "",
        "raw: libvirt-python alone; its no change is a read of every definition, without looking at it.",
        "module: inside the module's process, from start to end of main(). by task: what Ansible needs for it.",
        "loop: one task over all instances, through the same connection (ssh, pipelining, ControlPersist).",
    ]
    for figures in all_figures:
        if figures.is_loop_extrapolated:
            lines.append(f"* extrapolated from {all_figures[0].count} instances.")
        lines.append(
            f"{figures.count:,} instances: the module's process needs at most {figures.peak_mib:.0f} MiB; "
            f"its imports take {figures.imports:.2f} s before main()."
        )
    return "\n".join(lines) + "\n"


def show_site(figures: SiteFigures) -> str:
    few, many = figures.few, figures.many
    lines = [
        "site.yml on the converged lab, in seconds",
        "",
        f"{'':<24}{f'{few.instances} instances':>16}{f'{many.instances:,} instances':>18}",
        f"{'everything':<24}{few.seconds:>16.1f}{many.seconds:>18.1f}",
        *(f"  {stage:<22}{few.stages[stage]:>16.1f}{many.stages.get(stage, 0.0):>18.1f}" for stage in few.stages),
        f"{'cluster to instances':<24}{few.cloud_seconds:>16.1f}{many.cloud_seconds:>18.1f}",
        "",
        f"With {many.instances - few.instances:,} more stopped instances it takes {many.seconds - few.seconds:+.1f} s; "
        f"the run that defined them took {figures.defining_seconds:.1f} s.",
        "Tasks by host: " + ", ".join(
            f"{host} {count}" + ("" if many.tasks[host] == count else f" ({many.tasks[host]} with the many: WRONG)")
            for host, count in few.tasks.items()
        ) + "; the same for both." * (few.tasks == many.tasks),
    ]  # fmt: skip
    for run in (few, many):
        if run.changed:
            lines.append(f"WRONG: with {run.instances:,} instances the converged run changed {', '.join(run.changed)}.")
    return "\n".join(lines) + "\n"


def show_pools(figures: pools.PoolFigures) -> str:
    rows = (
        ("no change", figures.raw_read, figures.unchanged),
        ("new", figures.raw_new, figures.new),
        ("propagation", figures.raw_calls, figures.carried_out),
    )
    return "\n".join([
        f"pextra_pool and raw libvirt-python, {pools.COUNT} pools of type {figures.pool_type} on three nodes "
        f"(median of {pools.ROUNDS})",
        "",
        f"{'act':<11}  {'raw':>8}  {'module':>8}   {'module : raw':>12}",
        *(f"{act:<11}  {raw:>6.3f} s  {ours:>6.3f} s  {ours / raw:>11.1f} : 1" for act, raw, ours in rows),
        "",
        "raw: libvirt-python alone, all nodes at once; its no change reads every pool, its new is the slowest node's.",
        "propagation: of new, what is done between planning and reading again; raw without import and connections.",
    ]) + "\n"  # fmt: skip


def show_import(figures: pools.ImportFigures) -> str:
    return (
        f"pextra_volume, import of {pools.IMPORT_MIB:,} MiB of qcow2 (median of {pools.IMPORT_ROUNDS}): "
        f"{figures.imported:.1f} s; qemu-img convert {figures.converted:.1f} s; "
        f"module : qemu-img {figures.imported / figures.converted:.1f} : 1\n"
    )
