# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as tables for a person. Ratios are within one run, on one machine: they are what can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from . import hundred, inventory, nodes, planning, pools
from .modules import MOST, ROUNDS, Figures
from .site import EMPTY_EVERYWHERE, EMPTY_ON_ONE, MANY, SiteFigures
from .site import ROUNDS as SITE_ROUNDS

_ACTS = {"define": "define", "unchanged": "no change"}


def show_modules(all_figures: Sequence[Figures], peak_mib: float) -> str:
    lines = [
        f"pextra_vm, the loop of community.libvirt.virt, raw libvirt-python (median of {ROUNDS} for module and raw)",
        "",
        f"{'instances':>9}  {'devices':>7}  {'act':<9}  {'raw':>8}  {'module':>8}  {'by task':>8}  {'loop':>9}   "
        f"{'module : raw':>12}  {'loop : task':>11}  {'loop : module':>13}",
    ]
    for figures in all_figures:
        mark = "*" if figures.is_loop_extrapolated else " "
        for act, shown in _ACTS.items():
            raw, inside, task, loop = (
                table[act] for table in (figures.raw, figures.inside, figures.through_ansible, figures.loop)
            )
            lines.append(
                f"{figures.count:>9,}  {figures.devices:>7}  {shown:<9}  "
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
            f"{figures.count:,} instances, {figures.devices} devices: the module's process needs at most "
            f"{figures.peak_mib:.0f} MiB; its imports take {figures.imports:.2f} s before main()."
        )
    lines.append(f"{MOST:,} instances: the module's process needs at most {peak_mib:.0f} MiB.")
    return "\n".join(lines) + "\n"


def show_site(figures: SiteFigures) -> str:
    few, many = figures.few, figures.many
    count = EMPTY_EVERYWHERE + EMPTY_ON_ONE
    lines = [
        f"site.yml on the converged lab, in seconds (median of {SITE_ROUNDS})",
        "",
        f"{'':<34}{'as declared':>14}{f'{MANY:,} more':>14}",
        f"{'everything':<34}{few.seconds:>14.1f}{many.seconds:>14.1f}",
        *(f"  {play:<32}{few.plays[play]:>14.1f}{many.plays.get(play, 0.0):>14.1f}" for play in few.plays),
        "",
        f"{count} tasks that do nothing, {EMPTY_EVERYWHERE} on three hosts and {EMPTY_ON_ONE} on one, in the same "
        f"rounds: {figures.empty:.1f} s; site.yml : empty tasks {figures.ratio:.2f} : 1",
        f"With {MANY:,} more stopped instances it takes {many.seconds - few.seconds:+.1f} s; "
        f"the run that defined them took {figures.defining_seconds:.1f} s.",
        f"Each round: {_each(few.all_seconds)}; with {MANY:,} more: {_each(many.all_seconds)}.",
        "Tasks by host: " + ", ".join(
            f"{host} {tasks}" + ("" if many.tasks[host] == tasks else f" ({many.tasks[host]} with the many: WRONG)")
            for host, tasks in few.tasks.items()
        ) + "; the same for both." * (few.tasks == many.tasks),
    ]  # fmt: skip
    for what, run in (("as declared", few), (f"with {MANY:,} more", many)):
        if run.changed:
            lines.append(f"WRONG: {what} the converged run changed {', '.join(run.changed)}.")
    return "\n".join(lines) + "\n"


def _each(figures: Sequence[float], unit: str = "s", digits: int = 1) -> str:
    return (", ".join(f"{figure:.{digits}f}" for figure in figures) + f" {unit}").rstrip()


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
        f"propagation : raw, each round: {_each(figures.ratios, '', 2)}",
        "raw: libvirt-python alone, all nodes at once; its no change reads every pool, its new is the slowest node's.",
        "propagation: of new, what is done between planning and reading again; raw without import and connections.",
    ]) + "\n"  # fmt: skip


def show_import(figures: pools.ImportFigures) -> str:
    return (
        f"pextra_volume, import of {pools.IMPORT_MIB:,} MiB of qcow2 (median of {pools.IMPORT_ROUNDS}): "
        f"{figures.imported:.1f} s; qemu-img convert {figures.converted:.1f} s; "
        f"module : qemu-img {figures.imported / figures.converted:.1f} : 1; "
        f"each round: {_each(figures.ratios, '', 2)}\n"
    )


def show_nodes(figures: nodes.NodeFigures) -> str:
    return (
        f"pextra_vm reads the nodes of a cluster in one call (median of {nodes.ROUNDS}): one node "
        f"{median(figures.one):.3f} s; {figures.count} nodes {median(figures.many):.3f} s; "
        f"{figures.count} : one {figures.ratio:.1f} : 1\n"
        f"Each round: {_each(figures.one, 's', 3)}; {_each(figures.many, 's', 3)}. A converged site.yml on "
        f"{figures.count + 2} nodes takes {figures.converged_seconds:.1f} s.\n"
        f"{nodes.INSTANCES:,} stopped instances on {figures.spread} nodes are found as they are in "
        f"{median(figures.unchanged):.2f} s, with at most {figures.peak_mib:.0f} MiB; "
        f"each round: {_each(figures.unchanged, digits=2)}.\n"
    )


def show_planning(figures: planning.PlanningFigures) -> str:
    return (
        f"{figures.instances:,} new instances on {figures.nodes} nodes are planned in {figures.seconds:.2f} s "
        f"(median of {planning.ROUNDS})\n"
    )


def show_inventory(figures: inventory.InventoryFigures) -> str:
    return (
        f"ansible-inventory lists {MANY:,} instances more (median of {inventory.ROUNDS}): "
        f"{median(figures.listed):.2f} s; of it the coordinator's program {median(figures.program):.2f} s; an "
        f"inventory of none {median(figures.empty):.2f} s; what the plugin adds {figures.own:.2f} s\n"
        f"Each round: {_each(figures.listed, digits=2)}; {_each(figures.program, digits=2)}; "
        f"{_each(figures.empty, digits=2)}.\n"
    )


def show_hundred(figures: hundred.HundredFigures) -> str:
    return (
        f"{hundred.COUNT} new instances on three nodes, made and running (median of {hundred.ROUNDS}): pextra_vm "
        f"{median(figures.module):.1f} s; raw libvirt-python {median(figures.raw):.1f} s; {figures.ratio:.2f} : 1\n"
        f"Each round: {_each(figures.module)}; {_each(figures.raw)}.\n"
        f"site.yml that finds them so: {hundred.COUNT} {median(figures.many):.1f} s, {hundred.FEW} "
        f"{median(figures.few):.1f} s; {figures.converged_ratio:.2f} : 1\n"
        f"Each round: {_each(figures.many)}; {_each(figures.few)}.\n"
        f"30 tasks that do nothing beside them: {median(figures.many_empty):.1f} s, {median(figures.few_empty):.1f} s; "
        f"site.yml held against these {figures.ratio_beside_empty:.2f} : 1\n"
    )
