# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server inside the lab that has an image, and what was asked of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.integration.lab import Lab, wait_until

_NODE = "node3"
_DIRECTORY = "/srv/it-www"


@dataclass(frozen=True)
class Served:
    """big.img on a web server on node3. url: without the way it is served (`/whole`, `/plain`, `/stall`)."""

    lab: Lab
    url: str
    digest: str

    def asked(self) -> list[str]:
        """Return the requests, each with its range."""
        return self.lab.sh(_NODE, f"cat {_DIRECTORY}/log 2>/dev/null || true").splitlines()

    def add(self, name: str, text: str) -> None:
        """Serve another file, of text, too."""
        self.lab.exec(_NODE, "sh", "-c", f"cat >{_DIRECTORY}/{name}", stdin=text)


@contextmanager
def serve_image(lab: Lab, size_mib: int) -> Iterator[Served]:
    """Serve a file that is like no other while the context lasts."""
    program = (Path(__file__).parent / "in_node" / "image_server.py").read_text()
    lab.exec(_NODE, "mkdir", "-p", _DIRECTORY)
    lab.exec(_NODE, "sh", "-c", f"cat >{_DIRECTORY}/image_server.py", stdin=program)
    lab.sh(_NODE, f"head -c {size_mib}M /dev/urandom >{_DIRECTORY}/big.img")
    address = lab.exec(_NODE, "hostname", "-I").split()[0]
    lab.exec(
        _NODE,
        *("systemd-run", "--quiet", "--collect", "--unit", "it-www", "python3", f"{_DIRECTORY}/image_server.py"),
        *(f"{_DIRECTORY}/big.img", address, "8000", f"{_DIRECTORY}/log"),
    )
    try:
        wait_until("the server answers", lambda: ":8000" in lab.exec(_NODE, "ss", "-Hltn"))
        digest = lab.exec(_NODE, "sha256sum", f"{_DIRECTORY}/big.img").split()[0]
        yield Served(lab, f"http://{address}:8000", digest)
    finally:
        lab.exec(_NODE, "systemctl", "stop", "it-www", check=False)
        lab.exec(_NODE, "rm", "-rf", _DIRECTORY)
