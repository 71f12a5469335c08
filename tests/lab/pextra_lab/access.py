# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How people and Ansible get into the nodes: the lab's own ssh key, known hosts, consoles."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence

from .names import KNOWN_HOSTS, SSH_KEY, STATE_DIRECTORY, Node
from .processes import LabError, output_of, run

CONSOLE_DIRECTORIES = ("/var/log/pextra/console", "/var/log/libvirt/qemu")
DOMAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# Makes the node this lab's node; says "changed" if anything was different. $1 is its name, $2 its address,
# standard input the public key. The hosts file is the node's own (--no-hosts), so that roles may edit it.
PERSONALISE = """\
key=$(cat)
mkdir -p -m 0700 /root/.ssh
if [ "$(cat /root/.ssh/authorized_keys 2>/dev/null)" != "$key" ]; then
    echo "$key" > /root/.ssh/authorized_keys
    chmod 0600 /root/.ssh/authorized_keys
    echo changed
fi
if ! grep -q "^$2[[:space:]]" /etc/hosts 2>/dev/null; then
    printf '127.0.0.1 localhost\\n::1 localhost ip6-localhost ip6-loopback\\n%s %s\\n' "$2" "$1" > /etc/hosts
    echo changed
fi
"""


def ensure_key() -> bool:
    """The lab's key pair, readable by its owner only; says if it was made now."""
    STATE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    public = SSH_KEY.with_name(SSH_KEY.name + ".pub")
    if SSH_KEY.exists() and public.exists():
        SSH_KEY.chmod(0o600)
        return False
    SSH_KEY.unlink(missing_ok=True)
    public.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "pextra-lab", "-f", SSH_KEY])
    return True


def personalise(node: Node) -> bool:
    """The key and the hosts file into the node; says if anything changed."""
    public = SSH_KEY.with_name(SSH_KEY.name + ".pub").read_text()
    result = run(
        ["podman", "exec", "-i", node.container, "sh", "-euc", PERSONALISE, "sh", node.name, node.address],
        input_text=public,
    )
    return "changed" in result.stdout


def write_known_hosts(nodes: Iterable[Node]) -> bool:
    """Host keys, read from inside the nodes, so that no first connection has to be believed; says if it changed."""
    lines = []
    for node in nodes:
        public = output_of(["podman", "exec", node.container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub"])
        lines.append(f"{node.address},{node.name} {' '.join(public.split()[:2])}\n")
    content = "".join(lines)
    if KNOWN_HOSTS.exists() and KNOWN_HOSTS.read_text() == content:
        return False
    new = KNOWN_HOSTS.with_name(KNOWN_HOSTS.name + ".new")
    new.write_text(content)
    os.replace(new, KNOWN_HOSTS)
    return True


def ssh_command(node: Node, *options: str) -> list[str]:
    return [
        "ssh", "-F", "none", "-i", str(SSH_KEY), "-o", "IdentitiesOnly=yes", "-o", f"UserKnownHostsFile={KNOWN_HOSTS}",
        "-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "LogLevel=ERROR",
        "-o", "ConnectTimeout=10", *options, f"root@{node.address}",
    ]  # fmt: skip


def replace_process(command: Sequence[str]) -> int:
    sys.stdout.flush()
    os.execvp(command[0], list(command))  # never returns


def replace_by_ssh(node: Node, remote: Sequence[str]) -> int:
    if not SSH_KEY.exists():
        raise LabError(f"{SSH_KEY} is missing, so there is no lab of this working tree. Run: tests/lab/lab create")
    words = [word for index, word in enumerate(remote) if (index, word) != (0, "--")]
    # One word is a command line, several are the words of a command; ssh itself would join them unquoted.
    line = words if len(words) < 2 else [shlex.join(words)]
    return replace_process([*ssh_command(node), *line])


def replace_by_exec(node: Node, remote: Sequence[str]) -> int:
    words = [word for index, word in enumerate(remote) if (index, word) != (0, "--")]
    terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    return replace_process(["podman", "exec", *terminal, node.container, *(words or ["bash"])])


def replace_by_console(node: Node, domain: str, *, is_following: bool) -> int:
    """Shows what the instance wrote to its serial port; ends when interrupted."""
    if not DOMAIN_NAME.fullmatch(domain):
        raise LabError(f'"{domain}" is not the name of an instance')
    files = [f"{directory}/{domain}.log" for directory in CONSOLE_DIRECTORIES]
    tail = "tail -n +1 -F" if is_following else "cat"
    script = (
        f'for file in {shlex.join(files)}; do [ -f "$file" ] && exec {tail} "$file"; done; '
        f"echo 'No console log of {domain} on {node.name}: neither {' nor '.join(files)}' >&2; exit 1"
    )
    # Through ssh with a terminal: when this side ends, tail on the node ends as well.
    options = ["-tt"] if is_following and sys.stdin.isatty() else []
    return replace_process([*ssh_command(node, *options), script])
