# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NoCloud seeds: a small ISO 9660 image that the guest's cloud-init reads.

The libraries are imported where they are used: most runs write no seed, and read none.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

NAMES = ("meta-data", "user-data", "network-config")
# What not every seed has.
MORE_NAMES = ("vendor-data", "declared-vendor-data")


def build_seed(files: Mapping[str, str]) -> bytes:
    """Return an ISO 9660 image with the label cidata that holds the files, with Rock Ridge and Joliet names."""
    import pycdlib

    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for number, (name, text) in enumerate(sorted(files.items())):
        data = text.encode()
        image.add_fp(io.BytesIO(data), len(data), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    output = io.BytesIO()
    image.write_fp(output)
    image.close()
    return output.getvalue()


def read_seed(content: bytes) -> dict[str, str]:
    """Return the files of such an image. Raises ValueError if it is none."""
    import pycdlib

    image = pycdlib.PyCdlib()
    try:
        image.open_fp(io.BytesIO(content))
        files = {}
        there = {child.file_identifier().decode("utf-16_be") for child in image.list_children(joliet_path="/") if child}
        for name in (*NAMES, *(one for one in MORE_NAMES if one in there)):
            output = io.BytesIO()
            image.get_file_from_iso_fp(output, joliet_path=f"/{name}")
            files[name] = output.getvalue().decode()
        image.close()
    except (pycdlib.pycdlibexception.PyCdlibException, UnicodeDecodeError) as error:
        raise ValueError(f"this is no seed: {error}") from error
    return files


def read_yaml(text: str) -> Any:
    """Return what YAML says. Raises ValueError."""
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
