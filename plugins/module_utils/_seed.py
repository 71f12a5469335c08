"""NoCloud seeds: a small ISO 9660 image that the guest's cloud-init reads."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pycdlib


def build_seed(files: Mapping[str, str]) -> bytes:
    """Return an ISO 9660 image with the label cidata that holds the files, with Rock Ridge and Joliet names."""
    image = pycdlib.PyCdlib()
    image.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="cidata")
    for number, (name, text) in enumerate(sorted(files.items())):
        data = text.encode()
        image.add_fp(io.BytesIO(data), len(data), f"/FILE{number}.;1", rr_name=name, joliet_path=f"/{name}")
    output = io.BytesIO()
    image.write_fp(output)
    image.close()
    return output.getvalue()
