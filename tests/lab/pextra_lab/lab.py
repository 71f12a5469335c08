# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: what each subcommand does, in order. Every step leaves alone what is already right."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from . import access, containers, dead_attachments, guest_image, node_checks, node_images, storage_node, switches
from .locking import only_one
from .names import CACHE_DIRECTORY, GUEST_IMAGE, LAB_DIRECTORY, REPOSITORY, SSH_KEY, STATE_DIRECTORY, Node
from .processes import LabError
from .progress import say, step, wait_until

BOOT_LIMIT_S = 120
SSH_LIMIT_S = 60
# All of one user's processes share this many of what the kernel tells of changed files by, and each systemd of a host
# takes a few; without one it does not come up.
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_OF_HOST = 16


def exclusive() -> AbstractContextManager[None]:
    """Only one command changes the lab at a time."""
    return only_one(LAB_DIRECTORY)


def on_all(nodes: Iterable[Node], act: Callable[[Node], None]) -> None:
    """Acts on all nodes at once; all are tried, then the failures are reported together."""

    def attempt(node: Node) -> str:
        try:
            act(node)
        except LabError as error:
            return f"{node.name}: {error}"
        return ""

    nodes = list(nodes)
    with ThreadPoolExecutor(max_workers=max(1, len(nodes))) as pool:
        failures = [failure for failure in pool.map(attempt, nodes) if failure]
    if failures:
        raise LabError("\n".join(failures))


def ensure_images(kinds: Iterable[str]) -> None:
    node_images.ensure_images(kinds)
    guest_image.ensure_guest_image()


def bring_up(kinds: dict[Node, str]) -> None:
    """Containers of these nodes, running, reachable and verified; says what it changed."""
    done: dict[Node, str] = {}

    def ensure(node: Node) -> None:
        done[node] = containers.ensure_container(node, kinds[node])

    access.ensure_key()
    nodes = sorted(kinds, key=lambda node: node.number)
    with step(f"Nodes {', '.join(node.name for node in nodes)}"):
        on_all(nodes, containers.remove_unborn)
        dead_attachments.sweep()
        created = switches.ensure_networks()
        if created:
            say(f"    networks created: {', '.join(created)}")
        on_all(nodes, ensure)
        for node in nodes:
            if done[node]:
                say(f"    {node.name} {done[node]} ({kinds[node]}, {node.address})")
    finish(nodes)
    for node in nodes:
        note_other_image(node, kinds[node])


def finish(nodes: Sequence[Node]) -> None:
    """What has to follow after nodes were started: the cable, the key, the waits, the verification."""
    if switches.ensure_trunk_link():
        say("    trunk switches joined")
    with step("systemd is up"):
        on_all(nodes, wait_for_boot)
    with step("ssh answers"):
        on_all(nodes, lambda node: None if not access.personalise(node) else say(f"    {node.name}: key installed"))
        access.write_known_hosts(running_nodes())
        on_all(nodes, wait_for_ssh)
    with step("Verify"):
        verify_nodes(nodes)


def wait_for_boot(node: Node) -> None:
    wait_until(
        lambda: node_checks.has_booted(node),
        what=f"systemd on {node.name}",
        limit_s=BOOT_LIMIT_S,
        hint=f"Look at: tests/lab/lab exec {node.name} systemctl list-jobs",
    )


def wait_for_ssh(node: Node) -> None:
    wait_until(
        lambda: node_checks.answers_ssh(node),
        what=f"sshd on {node.name}",
        limit_s=SSH_LIMIT_S,
        hint=f"Look at: tests/lab/lab exec {node.name} systemctl status ssh",
    )


def running_nodes() -> list[Node]:
    found = (containers.find_container(node) for node in containers.list_nodes())
    return [container.node for container in found if container is not None and container.is_running]


def note_other_image(node: Node, kind: str) -> None:
    found = containers.find_container(node)
    if found is None:
        return
    option = {"bare": " --bare", "node": ""}.get(kind, f" --image {kind}")
    if found.kind != kind:
        say(f"    {node.name} was left as it is: it started from {found.kind}. For a fresh {kind} one: "
            f"tests/lab/lab rebuild {node.name}{option}")  # fmt: skip
    elif found.image != node_images.image_id(kind):
        say(f"    {node.name} was left as it is: it started from an older image. For a fresh one: "
            f"tests/lab/lab rebuild {node.name}{option}")  # fmt: skip


def verify_nodes(nodes: Sequence[Node]) -> None:
    findings: dict[Node, node_checks.Findings] = {}
    on_all(nodes, lambda node: findings.update({node: node_checks.check_node(node)}))
    for node in nodes:
        for note in findings[node].notes:
            say(f"    note: {note}")
    faults = [fault for node in nodes for fault in findings[node].faults]
    if faults:
        raise LabError("The lab is not as it should be:\n" + "\n".join(f"  {fault}" for fault in faults))


def link_guest_image() -> None:
    """Show the guest image where inventories/lab looks for it."""
    STATE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    link = STATE_DIRECTORY / GUEST_IMAGE.name
    if not link.is_symlink() or link.readlink() != GUEST_IMAGE:
        link.unlink(missing_ok=True)
        link.symlink_to(GUEST_IMAGE)


def create(*, node_count: int, bare: frozenset[Node], image: str) -> None:
    started = time.monotonic()
    wanted = [Node(number) for number in range(1, node_count + 1)]
    outside = sorted(node.name for node in bare - set(wanted))
    if outside:
        raise LabError(f"--bare names {', '.join(outside)}, but the lab has {wanted[0].name} to {wanted[-1].name}")
    with exclusive():
        ensure_images([image])
        link_guest_image()
        make_room(node_count)
        bring_up({node: "bare" if node in bare else image for node in wanted})
    say(f"The lab is up ({time.monotonic() - started:.1f} s). Next: tests/lab/lab status, tests/lab/lab ssh node1")


def make_room(node_count: int) -> None:
    """Let the machine hold so many hosts. It stays so until the machine starts anew."""
    needed = node_count * _INOTIFY_OF_HOST
    if int(_INOTIFY.read_text(encoding="ascii")) >= needed:
        return
    say(f"fs.inotify.max_user_instances raised to {needed}, for {node_count} hosts")
    _INOTIFY.write_text(f"{needed}\n", encoding="ascii")


def add(node: Node, *, image: str) -> None:
    with exclusive():
        ensure_images([image])
        bring_up({node: image})


def rebuild(node: Node, *, image: str) -> None:
    with exclusive():
        ensure_images([image])
        with step(f"Remove {node.name}"):
            containers.remove_container(node)
        bring_up({node: image})


def existing(node: Node) -> containers.Container:
    found = containers.find_container(node)
    if found is None:
        raise LabError(f"The lab has no {node.name}. Run: tests/lab/lab add {node.name}")
    return found


def remove(node: Node) -> None:
    with exclusive():
        containers.remove_container(node)
        if containers.list_nodes():
            access.write_known_hosts(running_nodes())
    say(f"{node.name} is gone")


def stop(node: Node, *, is_hard: bool) -> None:
    with exclusive():
        if existing(node).is_running:
            with step(f"{'Cut' if is_hard else 'Shut down'} {node.name}"):
                containers.stop_container(node, is_hard=is_hard)
    say(f"{node.name} is off")


def start(node: Node) -> None:
    with exclusive():
        kind = existing(node).kind
        bring_up({node: kind})
    say(f"{node.name} is on")


def verify() -> None:
    nodes = containers.list_nodes()
    if not nodes:
        raise LabError("There is no lab. Run: tests/lab/lab create")
    stopped = sorted({node.name for node in nodes} - {node.name for node in running_nodes()})
    if stopped:
        raise LabError(f"Not running: {', '.join(stopped)}. Run: tests/lab/lab create")
    verify_nodes(nodes)
    say(f"{len(nodes)} nodes are as they should be")


def print_status() -> int:
    """A table of the nodes; 1 if there are none or one of them is not well."""
    nodes = containers.list_nodes()
    is_well = bool(nodes)
    if nodes:
        say(f"{'NODE':<7} {'ADDRESS':<12} {'FROM':<11} {'POWER':<8} SYSTEMD")
    for node in nodes:
        found = existing(node)
        state = node_checks.system_state(node) if found.is_running else "-"
        failed = node_checks.failed_units(node) if state == "degraded" else []
        is_well = is_well and found.is_running and state in ("running", "degraded")
        say(f"{node.name:<7} {node.address:<12} {found.kind:<11} {found.state:<8} "
            f"{state}{': ' + ', '.join(failed) if failed else ''}")  # fmt: skip
    if nodes:
        say(f"key {SSH_KEY}\nguest image {GUEST_IMAGE if GUEST_IMAGE.exists() else 'not built: tests/lab/lab images'}")
    else:
        say("There is no lab. Run: tests/lab/lab create")
    return 0 if is_well else 1


def destroy(*, with_images: bool) -> None:
    with exclusive():
        storage_node.destroy()
        with step("Remove nodes and networks"):
            on_all(containers.list_nodes(), containers.remove_container)
            dead_attachments.sweep()
            switches.remove_networks()
            shutil.rmtree(STATE_DIRECTORY, ignore_errors=True)
            build_directory = REPOSITORY / ".build"
            if build_directory.is_dir() and not any(build_directory.iterdir()):
                build_directory.rmdir()
        if with_images:
            with step("Remove images"):
                node_images.remove_images()
                shutil.rmtree(CACHE_DIRECTORY, ignore_errors=True)
    say("The lab is gone" + ("" if with_images else f" (images are kept in podman and {CACHE_DIRECTORY})"))
