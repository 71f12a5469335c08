# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a definition says of aspects and kinds of device, by option. Pure."""

from __future__ import annotations

import functools
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any

from . import walk


# Few: what was taken for one is in the processor's caches when it is given back, and taken for the next.
@functools.lru_cache(maxsize=4)
def parse(xml: str) -> ET.Element:
    """Return a definition, for reading alone. Kept for the one who asks again at once: parsed, it is ten times as large
    as the text.
    """
    return ET.fromstring(xml)


class Further(Mapping[str, Any]):
    """What a definition says of aspects and devices, read when it is asked for: of most instances it never is."""

    def __init__(self, xml: str) -> None:
        self._xml = xml

    @functools.cached_property
    def _values(self) -> Mapping[str, Any]:
        return walk.read(parse(self._xml))

    def __getitem__(self, option: str) -> Any:
        return self._values[option]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._values, **other}

    def __repr__(self) -> str:
        return repr(self._values)


def read_at_once(further: Mapping[str, Any]) -> None:
    """Read what will be asked for, while its definition is still parsed."""
    if isinstance(further, Further):
        len(further)
