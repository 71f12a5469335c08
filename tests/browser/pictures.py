# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the pictures of the page that README and docs show: `make pictures`.

Of the lab's document, whose image `make lab` builds, and of a made-up cloud of a thousand instances.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .browser import Browser, running_browser
from .conftest import REPOSITORY
from .pages import render

PICTURES = REPOSITORY / "docs" / "pictures"
_SCALE = 1.25


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running_browser((1180, 900)) as browser:
        lab, thousand = Path(folder) / "lab.html", Path(folder) / "thousand.html"
        _make_lab(lab)
        thousand.write_text(render("thousand"), encoding="utf-8")
        browser.open(lab.as_uri())
        _take(browser, "report-light", height=1010)
        _take(browser, "report-network", "#network")
        browser.emulate(prefers_color_scheme="dark")
        _take(browser, "report-dark", height=1010)
        _take(browser, "report-storage", "#storage")
        browser.emulate(prefers_color_scheme="light")
        browser.open(thousand.as_uri())
        browser.type("#instances input[type=search]", "production node5")
        browser.click("#all-instances thead th:nth-child(5) button")
        _take(browser, "report-thousand", height=880)
        _take(browser, "report-search", "#instances", height=620)


def _make_lab(path: Path) -> None:
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(REPOSITORY / ".build" / "unit")}
    options = ("report_from=document", f"report={path}")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "inventories/lab", "playbooks/report.yml"]
    subprocess.run(
        [*command, *(part for option in options for part in ("-e", option))],
        cwd=REPOSITORY,
        env=environment,
        check=True,
        stdout=sys.stderr,
    )


def _take(browser: Browser, name: str, selector: str = "body", height: float | None = None) -> None:
    save(name, browser.picture(selector, _SCALE, height))


def save(name: str, picture: bytes) -> None:
    """Write a picture with no more colours than it needs: the pages that show it are to open quickly."""
    small = subprocess.run(["pngquant", "--strip", "128", "-"], input=picture, capture_output=True, check=True).stdout
    (PICTURES / f"{name}.png").write_bytes(small)


if __name__ == "__main__":
    main()
