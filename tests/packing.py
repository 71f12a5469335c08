# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collections of others as tarballs, where Galaxy cannot be asked: from those that are installed here."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import yaml

from tests.lab.pextra_lab.processes import LabError, run

# Keys of galaxy.yml that a built collection no longer has under that name, or that say what it was built from.
_NOT_FOR_GALAXY = {"license_file"}


def pack_installed(name: str, target: Path, work: Path) -> None:
    """Build a collection that is installed here once more: what is installed has not all files of its own list.

    target: where the tarball is laid. work: a directory for what is made on the way.
    """
    spec = find_spec("ansible_collections")
    folders = [
        Path(one).joinpath(*name.split(".")) for one in (spec.submodule_search_locations if spec else None) or ()
    ]
    folder = next((one for one in folders if (one / "MANIFEST.json").exists()), None)
    if folder is None:
        raise LabError(f"The collection {name} is not installed here. Run: make venv")
    copy = work / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__", "MANIFEST.json", "FILES.json"))
    info = json.loads((folder / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]
    said = {key: value for key, value in info.items() if value and key not in _NOT_FOR_GALAXY}
    (copy / "galaxy.yml").write_text(yaml.safe_dump(said), encoding="utf-8")
    galaxy = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--force"]
    run([*galaxy, "--output-path", target, copy])
