# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tables: room on nodes, storage pools, images, instances, what differs, and the audit trail."""

from __future__ import annotations

from .capacity import Capacity, Room, find_capacity
from .figures import show_bytes, show_count, show_mib, show_share, show_time
from .markup import Markup, join, tag
from .model import Cluster, Difference, Image, Instance, Page, Pool
from .order import by_name
from .parts import Cell, Column, bar, nothing, section, state, subheading, table, words


def render_capacity(page: Page) -> Markup:
    parts: list[Markup] = []
    for cluster in page.clusters:
        found = find_capacity(cluster)
        if len(page.clusters) > 1:
            parts.append(subheading(cluster.name))
        if not found.rooms:
            parts.append(nothing("There is no node."))
        elif all(room.usable is None and room.left is None for room in found.rooms):
            told = "How much memory the nodes have is not known; the variable pextra_memory of each can tell."
            parts += [_table_of_use(cluster, found), nothing(told)]
        else:
            parts.append(_table_of_rooms(found))
    note = "memory for instances, without what nodes keep for themselves"
    return section("capacity", "Capacity", *parts, note=note)


def _table_of_use(cluster: Cluster, found: Capacity) -> Markup:
    columns = (
        Column("Node", "name"),
        Column("Instances", "number"),
        Column("Memory", "number"),
        Column("Virtual CPUs", "number"),
        Column(""),
    )
    rows = [(room.node, f"{room.instances:,}", show_mib(room.used), f"{room.vcpus:,}", "") for room in found.rooms]
    rest = [one for one in cluster.instances if one.node is None]
    if rest:
        using = [one for one in rest if one.takes_memory]
        memory, vcpus = sum(one.memory for one in using), sum(one.vcpus for one in using)
        rows.append(("on no node yet", f"{len(rest):,}", show_mib(memory), f"{vcpus:,}", ""))
    return table(columns, rows)


def _table_of_rooms(found: Capacity) -> Markup:
    columns = (
        Column("Node", "name"),
        Column("Instances", "number"),
        Column("Memory in use", "number"),
        Column("of", "number"),
        Column(""),
        Column("Virtual CPUs", "number"),
        Column("of", "number"),
        Column("Left without it", "number"),
        Column(""),
    )
    return table(columns, [_room(room, found.used) for room in found.rooms])


def _room(room: Room, used: int) -> tuple[object, ...]:
    if room.left is None or not room.others:
        then: object = ""
    elif room.lacking:
        then = state("failed", f"{show_mib(room.lacking)} too little")
    else:
        then = state("done", "all fits")
    return (
        room.node,
        Cell(f"{room.instances:,}", room.instances),
        Cell(show_mib(room.used), room.used),
        "" if room.usable is None else Cell(show_mib(room.usable), room.usable),
        bar(room.used, room.usable) if room.usable else "",
        tag("span", f"{room.vcpus:,}", class_="bad")
        if room.vcpus > (room.most_vcpus or room.vcpus)
        else f"{room.vcpus:,}",
        "" if room.most_vcpus is None else f"{room.most_vcpus:,}",
        "" if room.left is None or not room.others else f"{show_mib(room.left)} for {show_mib(used)}",
        then,
    )


def render_pools(page: Page) -> Markup:
    found = [(cluster, pool) for cluster in page.clusters for pool in cluster.pools]
    if not found:
        return section("pools", "Storage pools", nothing("There is none."))
    columns = [Column("Name", "name"), Column("Cluster"), Column("Type"), Column("Nodes"), Column("Path")]
    if page.is_live:
        columns[3:3] = [Column("Status"), Column("Free", "number"), Column("of", "number"), Column("In use")]
    rows = [_pool(cluster, pool, is_live=page.is_live) for cluster, pool in found]
    return section("pools", "Storage pools", table(columns, rows), note=show_count(len(rows), "pool"))


def _pool(cluster: Cluster, pool: Pool, *, is_live: bool) -> list[object]:
    row: list[object] = [
        pool.name,
        cluster.name,
        f"{pool.type}, shared" if pool.shared else pool.type,
        words([state(on.status, on.node) for on in pool.on], "word"),
        tag("code", pool.path) if pool.path else "",
    ]
    if is_live:
        row[3:3] = [state(pool.status), "", "", ""]
        if pool.capacity and pool.available is not None:
            used = pool.capacity - pool.available
            share = tag("span", show_share(used, pool.capacity), class_="share")
            free = Cell(show_bytes(pool.available), pool.available)
            row[4:7] = [free, show_bytes(pool.capacity), join((bar(used, pool.capacity), share))]
    return row


def render_images(page: Page) -> Markup:
    found = [(cluster, image) for cluster in page.clusters for image in cluster.images]
    if not found:
        return section("images", "Images", nothing("There is none."))
    columns = [
        Column("Name", "name"),
        Column("Cluster"),
        Column("Kind"),
        Column("Instances", "number"),
        Column("Copies"),
    ]
    if page.is_live:
        columns[3:3] = [Column("File", "number"), Column("Disk", "number")]
    rows = [_image(cluster, image, is_live=page.is_live) for cluster, image in found]
    return section("images", "Images", table(columns, rows), note=show_count(len(rows), "image"))


def _image(cluster: Cluster, image: Image, *, is_live: bool) -> list[object]:
    copies = [state(copy.status, f"{copy.pool} on {copy.node}" if copy.node else copy.pool) for copy in image.copies]
    about = [image.description, f"content {image.number}" if image.number not in (None, 1) else ""]
    told = "; ".join(part for part in about if part)
    row: list[object] = [
        join((image.name, tag("span", told, class_="about") if told else None)),
        cluster.name,
        image.kind if image.kind == image.format else f"{image.format} {image.kind}".strip(),
        f"{image.used_by:,}",
        words(copies, "word"),
    ]
    if is_live:
        sizes = (image.size, image.virtual_size)
        row[3:3] = ["" if size is None else Cell(show_bytes(size), size) for size in sizes]
    return row


def render_instances(page: Page) -> Markup:
    found = [(cluster, one) for cluster in page.clusters for one in by_name(cluster.instances)]
    if not found:
        return section("instances", "Instances", nothing("There is none."))
    columns = [
        Column("Name", "name"),
        Column("State" if page.is_live else "To be"),
        Column("Node"),
        Column("vCPUs", "number"),
        Column("Memory", "number"),
        Column("Disks", "number"),
        Column("Network"),
        Column("Image"),
        Column("Tags"),
    ]
    if len(page.clusters) > 1:
        columns.insert(1, Column("Cluster"))
    if page.is_live:
        columns.append(Column("Running since"))
    rows = []
    for cluster, one in found:
        row = _instance(one)
        if len(page.clusters) > 1:
            row.insert(1, cluster.name)
        if page.is_live:
            row.append(one.started.replace("T", " ").removesuffix("Z"))
        rows.append(row)
    noun = "instances"
    return section(
        "instances", "Instances", table(columns, rows, "all-instances", noun), note=show_count(len(rows), "instance")
    )


def _instance(one: Instance) -> list[object]:
    disks = [disk.size for disk in one.disks]
    known = sum(size or 0 for size in disks)
    shown = ("\u2013" if not known else show_mib(known)) + ("+" if known and None in disks else "")
    mark = None if one.is_as_declared else tag("span", f"declared {one.declared}", class_="bad")
    about = tag("span", one.description, class_="about") if one.description else None
    return [
        join((one.name, about)),
        Cell(join((state(one.power), mark)), one.power),
        one.node or tag("span", "any", class_="muted"),
        # Of what is adopted, the document need not say it.
        Cell(f"{one.vcpus:,}" if one.vcpus else "\u2013", one.vcpus),
        Cell(show_mib(one.memory) if one.memory else "\u2013", one.memory),
        Cell(shown, known),
        words([_nic(nic.port_group, nic.addresses) for nic in one.nics], "line"),
        one.image,
        words(one.tags, "tag"),
    ]


def _nic(group: str, addresses: tuple[str, ...]) -> Markup:
    shown = tag("span", ", ".join(addresses), class_="address") if addresses else None
    return join((shown, tag("span", group, class_="muted")))


def render_differences(page: Page) -> Markup:
    found = page.differences
    title = "What differs from the document"
    if found is None:
        return section("differences", title, nothing("It could not be compared."))
    parts: list[Markup] = []
    if not found.is_complete:
        parts.append(
            tag("p", "Not everything could be looked at; see what is said of the health.", class_="nothing bad")
        )
    if found.actions:
        parts += [subheading("A run would"), tag("ul", *(tag("li", action) for action in found.actions), class_="acts")]
    if found.pending:
        parts += [
            subheading("Waits for a restart"),
            tag("ul", *(tag("li", one) for one in found.pending), class_="acts"),
        ]
    if found.values:
        parts += [subheading("Values"), *(_difference(one) for one in found.values)]
    if not parts:
        parts.append(nothing("Nothing. Everything is as the document says."))
    note = show_count(found.count, "difference") if found.count else ""
    return section("differences", title, *parts, note=note)


def _difference(one: Difference) -> Markup:
    lines = [tag("del", f"- {line}") for line in one.before if line not in one.after]
    lines += [tag("ins", f"+ {line}") for line in one.after if line not in one.before]
    return tag("div", tag("p", one.where), tag("pre", *lines), class_="difference")


def render_trail(page: Page) -> Markup:
    if page.events is None:
        return section("trail", "Audit trail", nothing("It could not be read."))
    if not page.events:
        return section("trail", "Audit trail", nothing("Nothing was done yet."))
    columns = (
        Column("When (UTC)"),
        Column("Who"),
        Column("Resource", "name"),
        Column("Node"),
        Column("What was done"),
        Column("How it ended"),
    )
    rows = [
        (
            Cell(tag("span", show_time(event.at), class_="address"), event.at),
            event.actor,
            f"{event.kind} {event.name}",
            event.node,
            event.what,
            state(event.outcome),
        )
        for event in page.events
    ]
    note = f"the newest {show_count(len(rows), 'event')}"
    return section("trail", "Audit trail", table(columns, rows, "all-events", "events"), note=note)
