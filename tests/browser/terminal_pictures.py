# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the pictures of a terminal that README and docs show: `make terminal-pictures`.

Each shows what a person sees who typed the command on it. Those of mistakes need no host; those of a plan and of a run
are of the lab, which is brought to the document before, and in the end.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .browser import running_browser
from .conftest import REPOSITORY
from .pictures import save
from .screen_page import render_screen
from .shell import running_shell

_SCALE = 1.25
_SIZE = (100, 32)
_RUN_S = 400
_SITE = "ansible-playbook pextra.cloud.site"


@dataclass(frozen=True)
class Slip:
    """Something that a person writes into the document, by hand: file, what stood there, what stands there now."""

    file: str
    before: str
    after: str


@dataclass(frozen=True)
class Scene:
    """A command, and the picture of its end. inventory: whose document it is of.

    name: of a picture before the end, which is taken when `until` is on the screen.
    """

    at_end: str
    inventory: str
    command: str
    slips: tuple[Slip, ...] = ()
    name: str = ""
    until: str | None = None
    is_dark: bool = False


@dataclass(frozen=True)
class Shot:
    """A screen of which a picture is drawn."""

    name: str
    screen: str
    is_dark: bool


MISTAKES = (
    Scene(
        "terminal-mistakes",
        "example",
        "ansible-playbook pextra.cloud.validate",
        (
            Slip("30-network.yml", "vlan: 42}", "vlan: 4242}"),
            Slip("20-storage.yml", "nodes: [delta, echo]", "nodes: [delta, ecko]"),
            Slip("50-instances.yml", "anti_affinity: web", "anti_afinity: web"),
            Slip("50-instances.yml", "size: 20 GiB}\n    volumes", "size: 20}\n    volumes"),
            Slip("50-instances.yml", "port_group: DMZ", "port_group: DNZ"),
            Slip("60-volumes.yml", "attached_to: db", "attached_to: dp"),
        ),
    ),
    Scene("terminal-mistyped", "lab", "ansible-playbook pextra.cloud.decommission -e nodes=node33 -e confirm=DESTROY"),
)
_CHANGES = (
    Slip("30-network.yml", "vlan: 99}", "vlan: 99, description: Reached from outside}"),
    Slip("50-instances.yml", "power: stopped", "power: running"),
)
_PLANNED = (
    *_CHANGES,
    Slip("30-network.yml", "_groups:", "_groups:\n  - {name: Backup, vswitch: svswitch10, vlan: 7}"),
    Slip("50-instances.yml", "count: 2\n", "count: 3\n"),
    Slip("50-instances.yml", "flavor: medium", "flavor: medium\n    memory: 192 MiB"),
)
RUNS = (
    Scene("terminal-plan", "lab", f"{_SITE} --check", _PLANNED),
    Scene(
        "terminal-done",
        "lab",
        _SITE,
        _CHANGES,
        name="terminal-progress",
        until=r"^\[\d/\d\] .* \[#+-+\] .* [2-9] s$",
        is_dark=True,
    ),
)


def main(arguments: Sequence[str]) -> None:
    shots = [shot for scene in MISTAKES for shot in _run(scene)]
    if "--without-lab" not in arguments:
        # What others left there is no part of the pictures, nor is what these leave there one of what comes after.
        _converge()
        try:
            shots += [shot for scene in RUNS for shot in _run(scene)]
        finally:
            _converge()
    with running_browser((1400, 1000)) as browser, tempfile.TemporaryDirectory() as folder:
        for shot in shots:
            page = Path(folder) / f"{shot.name}.html"
            page.write_text(render_screen(shot.screen, _SIZE[0], is_dark=shot.is_dark), encoding="utf-8")
            browser.open(page.as_uri())
            save(shot.name, browser.picture("pre", _SCALE))


def _run(scene: Scene) -> Iterator[Shot]:
    """Yield what the screen shows when the picture is to be taken, and in the end."""
    with tempfile.TemporaryDirectory() as folder:
        cwd = _write_deployment(Path(folder), scene.inventory, scene.slips)
        with running_shell(_SIZE, cwd, _environment_of(folder)) as shell:
            shell.type(scene.command)
            if scene.until is not None:
                yield Shot(scene.name, shell.wait(scene.until, _RUN_S), scene.is_dark)
            yield Shot(scene.at_end, shell.wait(None, _RUN_S), scene.is_dark)


def _environment_of(home: str) -> dict[str, str]:
    """Return what the shell of a person has, with the work tree as the collection that is installed."""
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    tree = str(REPOSITORY / ".build" / "unit")
    return {"PATH": path, "LANG": "C.UTF-8", "HOME": home, "HISTFILE": "", "ANSIBLE_COLLECTIONS_PATH": tree}


def _write_deployment(folder: Path, inventory: str, slips: Sequence[Slip] = ()) -> Path:
    """Write a deployment as `init` lays it out, with the document of an inventory of ours. Returns its directory."""
    cwd = folder / "cloud"
    shutil.copytree(REPOSITORY / "inventories" / inventory, cwd / "inventory")
    # The lab's document finds the lab from where it lies.
    (folder / ".build").symlink_to(REPOSITORY / ".build")
    settings = (REPOSITORY / "ansible.cfg").read_text(encoding="utf-8")
    for before, after in (
        ("collections_path = .build\n", ""),
        ("inventory = inventories/lab", "inventory = inventory"),
        ("stdout_callback = default", "stdout_callback = pextra.cloud.progress"),
    ):
        settings = _replace(settings, before, after)
    (cwd / "ansible.cfg").write_text(settings, encoding="utf-8")
    for slip in slips:
        path = cwd / "inventory" / "group_vars" / "all" / slip.file
        path.write_text(_replace(path.read_text(encoding="utf-8"), slip.before, slip.after), encoding="utf-8")
    return cwd


def _replace(text: str, before: str, after: str) -> str:
    if text.count(before) != 1:
        raise LookupError(f"{before!r} stands there {text.count(before)} times, not once")
    return text.replace(before, after)


def _converge() -> None:
    """Have the lab as its document says."""
    with tempfile.TemporaryDirectory() as folder:
        cwd = _write_deployment(Path(folder), "lab")
        subprocess.run(_SITE.split(), cwd=cwd, env=_environment_of(folder), check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
