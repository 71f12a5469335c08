# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three containers on a network of their own: a new user's machine, a bare host, and what stands in for the internet.

None has a view of the repository, nor anything of ours. They are apart from the lab, which may be up beside them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.first_hour import internet
from tests.lab.pextra_lab.containers import SYSTEMD
from tests.lab.pextra_lab.names import GUEST_IMAGE
from tests.lab.pextra_lab.node_images import LIMITS, RUNTIME, image_id
from tests.lab.pextra_lab.processes import run
from tests.lab.pextra_lab.progress import wait_until
from tests.lab.pextra_lab.switches import remove_network
from tests.packing import pack_installed

CONTROLLER, HOST, INTERNET = CONTAINERS = ("pextra-hour-controller", "pextra-hour-host", "pextra-hour-internet")
NETWORK = "pextra-hour"
SUBNET = "10.92.0.0/24"
ADDRESS = "10.92.0.11"
INTERNET_ADDRESS = "10.92.0.2"
# Who sits at the controller.
USER = "me"
HOME = f"/home/{USER}"
# Authorities that this machine trusts beyond Debian's, as a proxy may need that pip and apt go through.
AUTHORITIES = "/usr/local/share/ca-certificates"
DEPENDENCIES = ("community.crypto",)


@contextmanager
def standing(tarball: Path, work: Path) -> Iterator[None]:
    """Have the containers while the context lasts. tarball: our collection. work: for what they are given."""
    _remove()  # of a run that was killed
    try:
        run(["podman", "network", "create", "--disable-dns", "--subnet", SUBNET, NETWORK])
        _start(INTERNET, INTERNET_ADDRESS, "controller")
        _start(CONTROLLER, "10.92.0.3", "controller")
        _start(HOST, ADDRESS, "bare", *SYSTEMD, "--privileged", command="/sbin/init")
        _serve(work)
        for container in (CONTROLLER, HOST):
            _know_the_internet(container, work)
        _seat_the_user(tarball)
        _open_the_host()
        yield
    finally:
        _remove()


def execute(container: str, script: str, *, user: str = "root", input_text: str | None = None) -> str:
    """Run a script in a container and return what it prints; it must succeed."""
    entered = ["podman", "exec", "--interactive", "--user", user, container, "sh", "-euc", script]
    return run(entered, input_text=input_text).stdout


def user_shell() -> list[str]:
    """Return the command that is the new user's shell at a terminal."""
    entered = ["podman", "exec", "--interactive", "--tty", "--user", USER, "--workdir", HOME, "--env", f"HOME={HOME}"]
    return [*entered, CONTROLLER, "bash", "--noprofile", "--norc", "--noediting"]


def copy_out(path: str, target: Path) -> None:
    """Copy a file from the controller."""
    run(["podman", "cp", f"{CONTROLLER}:{path}", target])


def _start(container: str, address: str, kind: str, *options: str, command: str = "") -> None:
    """Start a container whose hosts file is its own. Proxies of this machine's environment are given on by podman."""
    host_name = container.rpartition("-")[2]
    run([
        "podman", *RUNTIME, "run", "--detach", "--name", container, "--hostname", host_name, *options, *LIMITS,
        "--pids-limit", "-1", "--no-hosts", "--pull=never", "--network", f"{NETWORK}:ip={address},interface_name=eth0",
        image_id(kind), *([command] if command else []),
    ])  # fmt: skip
    execute(container, f"printf '127.0.0.1 localhost\\n{address} {host_name}\\n' >/etc/hosts")


def _serve(work: Path) -> None:
    """Have the servers of the internet answer."""
    root, packed = work / "www", work / "packed"
    packed.mkdir()
    for name in DEPENDENCIES:
        pack_installed(name, packed, work / "sources")
    internet.lay_collections(sorted(packed.glob("*.tar.gz")), root)
    internet.lay_image(GUEST_IMAGE, root)
    internet.make_certificates(work)
    program = Path(__file__).parent / "in_container" / "internet.py"
    for source in (root, work / "server.crt", work / "server.key", program):
        run(["podman", "cp", source, f"{INTERNET}:/srv/"])
    server = "python3 /srv/internet.py /srv/www /srv/server.crt /srv/server.key /srv/log"
    run(["podman", "exec", "--detach", INTERNET, "sh", "-c", f"exec {server} >/srv/output 2>&1"])
    knock = "import socket; socket.create_connection(('127.0.0.1', 443), 2)"
    wait_until(
        lambda: run(["podman", "exec", INTERNET, "python3", "-c", knock], check=False).returncode == 0,
        what="the servers of the internet",
        limit_s=30,
        hint=f"Look at: podman exec {INTERNET} cat /srv/output",
    )


def _know_the_internet(container: str, work: Path) -> None:
    """Let a container find the servers and trust them, and all that this machine trusts."""
    names = f"{internet.GALAXY} {internet.image_host()}"
    execute(container, f"echo '{INTERNET_ADDRESS} {names}' >>/etc/hosts; mkdir -p {AUTHORITIES}")
    for authority in (work / "ca.crt", *sorted(Path(AUTHORITIES).glob("*.crt"))):
        run(["podman", "cp", authority, f"{container}:{AUTHORITIES}/"])
    execute(container, "update-ca-certificates 2>/dev/null")


def _seat_the_user(tarball: Path) -> None:
    """Lay the collection into the new user's home, and let pip have packages from where this machine's has them."""
    run(["podman", "cp", tarball, f"{CONTROLLER}:{HOME}/"])
    listed = run([sys.executable, "-m", "pip", "config", "list"], check=False).stdout
    index = next((line.partition("=")[2] for line in listed.splitlines() if line.startswith("global.index-url=")), "")
    if index:
        execute(CONTROLLER, "cat >/etc/pip.conf", input_text=f"[global]\nindex-url = {index.strip(chr(39))}\n")
    execute(CONTROLLER, f"chown -R {USER}: {HOME}")


def _open_the_host() -> None:
    """What was before the hour: a key of the user's that may log in on the host, whose own key the user knows."""
    wait_until(
        lambda: _state_of_host() in ("running", "degraded"),
        what="systemd on the host",
        limit_s=120,
        hint=f"Look at: podman exec {HOST} systemctl list-jobs",
    )
    # Debian's installer brings it, and its smallest system has it not.
    execute(HOST, "apt-get -q update; apt-get -q install --yes --no-install-recommends iputils-ping")
    make = "mkdir -p ~/.ssh; ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519; cat ~/.ssh/id_ed25519.pub"
    public = as_user(make)
    execute(HOST, "install -d -m 0700 /root/.ssh; cat >/root/.ssh/authorized_keys", input_text=public)
    known = execute(HOST, "cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub").strip()
    as_user(f"echo '{ADDRESS} {known}' >~/.ssh/known_hosts; ssh root@{ADDRESS} true")


def as_user(script: str) -> str:
    """Run a script as the new user, in their home, and return what it prints; it must succeed."""
    return execute(CONTROLLER, f"export HOME={HOME}; cd ~\n{script}", user=USER)


def _state_of_host() -> str:
    return run(["podman", "exec", HOST, "systemctl", "is-system-running"], check=False).stdout.strip()


def _remove() -> None:
    for container in CONTAINERS:
        run(["podman", "rm", "--force", "--ignore", "--time", "0", "--volumes", container])
    remove_network(NETWORK)
