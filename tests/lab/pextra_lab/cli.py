# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of the lab."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import access, debian_guest_image, guest_image, lab, node_images, storage_node
from .names import NODE_NUMBERS, Node, parse_node
from .node_images import IMAGES
from .processes import LabError
from .progress import say
from .requirements import ensure_requirements, refuse_unsuitable_machine


def node_argument(text: str) -> Node:
    try:
        return parse_node(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lab", description="A cloud's hosts as containers on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    commands.add_parser("requirements", help="install the Debian packages that the lab needs")

    images = commands.add_parser("images", help="build the node images and the guest image, unless they are current")
    images.add_argument("--rebuild", action="store_true", help="build them even if they are current")
    images.add_argument("--image", choices=IMAGES, nargs="+", default=[], metavar="IMAGE", action="extend",
                        help=f"these as well: {', '.join(IMAGES)}")  # fmt: skip

    for guest, what in (("full-guest", "the guest with all drivers"), ("debian-guest", "the Debian guest")):
        commands.add_parser(guest, help=f"build the image of {what}, unless it is current, and say where it is")

    create = commands.add_parser("create", help="bring the lab up, or repair it; what is right is left alone")
    create.add_argument("--nodes", type=int, default=3, metavar="N", choices=NODE_NUMBERS, help="how many (3)")
    create.add_argument("--bare", type=node_argument, nargs="+", default=[], metavar="NODE", action="extend",
                        help="these start from the bare image, to test bootstrapping")  # fmt: skip
    create.add_argument("--image", choices=IMAGES, default="node", help="the image of the others (node)")

    for name, text in (
        ("add", "add a node to the lab"),
        ("rebuild", "replace a node by a fresh one: everything on it is lost"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("node", type=node_argument)
        command.add_argument("--bare", action="store_const", const="bare", default="node", dest="image",
                             help="from the bare image")  # fmt: skip
        command.add_argument("--image", choices=IMAGES, default="node", help="the image (node)")

    remove = commands.add_parser("remove", help="remove one node and everything on it")
    remove.add_argument("node", type=node_argument)

    stop = commands.add_parser("stop", help="shut a node down")
    stop.add_argument("node", type=node_argument)
    stop.add_argument("--hard", action="store_true", help="as by pulling the plug")
    commands.add_parser("start", help="switch a node on").add_argument("node", type=node_argument)

    destroy = commands.add_parser("destroy", help="remove the lab: nodes, networks, the storage node")
    destroy.add_argument("--images", action="store_true", help="the images as well")

    commands.add_parser("status", help="show the nodes, and whether they are well")
    commands.add_parser("verify", help="check that every node is as the lab promises")

    ssh = commands.add_parser("ssh", help="log into a node, or run a command on it")
    ssh.add_argument("node", type=node_argument)
    ssh.add_argument("remote", nargs=argparse.REMAINDER, metavar="COMMAND")

    add_storage_node(commands.add_parser("storage-node", help="a virtual machine with a kernel of its own"))

    execute = commands.add_parser("exec", help="run a command in a node without ssh")
    execute.add_argument("node", type=node_argument)
    execute.add_argument("remote", nargs=argparse.REMAINDER, metavar="COMMAND")

    console = commands.add_parser("console", help="follow the serial console of an instance")
    console.add_argument("node", type=node_argument)
    console.add_argument("domain")
    console.add_argument("--no-follow", action="store_true", help="print what there is and end")
    return parser


def add_storage_node(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="act", required=True, metavar="COMMAND")
    commands.add_parser("create", help="boot it, or repair it; what is right is left alone")
    commands.add_parser("serve", help="set up storage servers on it, for inventories/storage-lab")
    commands.add_parser("destroy", help="remove it and its disks; its image stays")
    commands.add_parser("status", help="show whether it is up, and how to reach it")
    for name, text in (("reboot", "reboot it, and wait until it is back"), ("stop", "shut it down")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--hard", action="store_true", help="as by pulling the plug")
    ssh = commands.add_parser("ssh", help="log into it, or run a command on it")
    ssh.add_argument("remote", nargs=argparse.REMAINDER, metavar="COMMAND")


def run_storage_node_command(options: argparse.Namespace) -> int:
    act: str = options.act
    if act == "create":
        storage_node.create()
    elif act == "serve":
        storage_node.serve()
    elif act == "destroy":
        storage_node.destroy()
        say("The storage node is gone")
    elif act == "reboot":
        storage_node.reboot(is_hard=options.hard)
    elif act == "stop":
        storage_node.stop(is_hard=options.hard)
    elif act == "ssh":
        return storage_node.replace_by_ssh(options.remote)
    elif act == "status":
        return storage_node.print_status()
    return 0


def run_command(options: argparse.Namespace) -> int:
    command: str = options.command
    if command == "requirements":
        ensure_requirements()
        return 0
    refuse_unsuitable_machine()
    if command == "images":
        node_images.ensure_images(options.image, rebuild=options.rebuild)
        guest_image.ensure_guest_image(rebuild=options.rebuild)
    elif command == "full-guest":
        guest_image.ensure_guest_image(guest_image.FULL)
        say(str(guest_image.FULL.image))
    elif command == "debian-guest":
        say(str(debian_guest_image.ensure_image()))
    elif command == "create":
        lab.create(node_count=options.nodes, bare=frozenset(options.bare), image=options.image)
    elif command == "add":
        lab.add(options.node, image=options.image)
    elif command == "rebuild":
        lab.rebuild(options.node, image=options.image)
    elif command == "remove":
        lab.remove(options.node)
    elif command == "stop":
        lab.stop(options.node, is_hard=options.hard)
    elif command == "start":
        lab.start(options.node)
    elif command == "destroy":
        lab.destroy(with_images=options.images)
    elif command == "status":
        return lab.print_status()
    elif command == "verify":
        lab.verify()
    elif command == "storage-node":
        return run_storage_node_command(options)
    elif command == "ssh":
        return access.replace_by_ssh(options.node, options.remote)
    elif command == "exec":
        return access.replace_by_exec(options.node, options.remote)
    elif command == "console":
        return access.replace_by_console(options.node, options.domain, is_following=not options.no_follow)
    return 0


def main(arguments: Sequence[str]) -> int:
    # Root's programs are not in every user's PATH, and podman looks for iptables there.
    os.environ["PATH"] = f"{os.environ.get('PATH', '/usr/bin:/bin')}:/usr/sbin:/sbin"
    options = build_parser().parse_args(arguments)
    try:
        return run_command(options)
    except LabError as error:
        print(f"lab {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"lab {options.command}: interrupted. The same command goes on from here.", file=sys.stderr)
        return 130
