#!/usr/bin/env python3
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Import the built collection as Galaxy does, and fail at whatever it would warn of: check_import.py TARBALL.

What galaxy-importer would call for beside its own checks runs elsewhere, by stricter rules: ansible-lint and ruff in
`make lint`, ansible-test in `make sanity`. It would run the first again, for three minutes at most, and the last in a
container that it fetches.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from pathlib import Path

from galaxy_importer.collection import CollectionFilename, import_collection
from galaxy_importer.config import Config
from galaxy_importer.exceptions import ImporterError

# The importer only says that they are there. Why they are: see tools/write_sanity_ignores.py.
_EXPECTED = re.compile(r"Ignore files skip ansible-test sanity tests, found ignore-[\d.]+\.txt with \d+ statement\(s\)")


class Complaints(logging.Handler):
    """Keeps what is worse than information."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if not _EXPECTED.fullmatch(text):
            self.texts.append(f"{record.levelname}: {text}")


def main() -> int:
    tarball = Path(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    # The check of tags reads its setting from here alone.
    os.environ["GALAXY_IMPORTER_CHECK_REQUIRED_TAGS"] = "true"
    complaints = Complaints()
    logging.getLogger("galaxy_importer").addHandler(complaints)
    name = CollectionFilename(*tarball.name.removesuffix(".tar.gz").split("-", 2))
    with tempfile.TemporaryDirectory() as scratch, tarball.open("rb") as file:
        settings = {
            "ansible_local_tmp": scratch,
            "run_ansible_lint": False,
            "run_ansible_test": False,
            "tmp_root_dir": scratch,
        }
        try:
            import_collection(file, name, cfg=Config(settings))
        except ImporterError as error:
            complaints.texts.append(f"refused: {error}")
    for text in complaints.texts:
        print(text, file=sys.stderr)
    return 1 if complaints.texts else 0


if __name__ == "__main__":
    sys.exit(main())
