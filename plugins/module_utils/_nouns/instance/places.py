# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where options stand in the definition of an instance (libvirt: Domain XML format).

Paths are of element names, below the element that is given: the domain for an aspect, the device for a device. What a
path names and is not there is made when a value is written; an element that a value leaves empty goes with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

# How a value is written as text.
Form = Literal["str", "int", "yes_no", "on_off"]
_WORDS = {"yes_no": ("no", "yes"), "on_off": ("off", "on")}


@dataclass(frozen=True)
class Attribute:
    """An attribute of the element at `path`; an empty path is the element itself."""

    path: str
    name: str
    form: Form = "str"

    def read(self, element: Any) -> Any:
        found = _find(element, self.path)
        return None if found is None else _parse(found.get(self.name), self.form)

    def write(self, element: Any, value: Any) -> None:
        if value is not None:
            _make(element, self.path).set(self.name, _render(value, self.form))
            return
        found = _find(element, self.path)
        if found is not None:
            found.attrib.pop(self.name, None)
            _prune(element, self.path)


@dataclass(frozen=True)
class Text:
    """The text of the element at `path`."""

    path: str
    form: Form = "str"

    def read(self, element: Any) -> Any:
        found = _find(element, self.path)
        if found is None or not found.text:
            return None
        return found.text if self.form == "str" else _parse(found.text.strip() or None, self.form)

    def write(self, element: Any, value: Any) -> None:
        if value is not None:
            _make(element, self.path).text = _render(value, self.form)
            return
        found = _find(element, self.path)
        if found is not None:
            found.text = None
            _prune(element, self.path)


@dataclass(frozen=True)
class Presence:
    """Whether the element at `path` is there."""

    path: str

    def read(self, element: Any) -> bool:
        return _find(element, self.path) is not None

    def write(self, element: Any, value: Any) -> None:
        if value:
            _make(element, self.path)
            return
        parent, _, name = self.path.rpartition("/")
        above = _find(element, parent)
        for found in above.findall(name) if above is not None else ():
            above.remove(found)


@dataclass(frozen=True)
class CpuSet:
    """An attribute that names processors, such as `0-2,5`, as their numbers."""

    path: str
    name: str

    def read(self, element: Any) -> Any:
        found = _find(element, self.path)
        text = found.get(self.name) if found is not None else None
        if text is None:
            return None
        numbers: set[int] = set()
        for part in text.split(","):
            first, _, last = part.strip().lstrip("^").partition("-")
            if not first.isdecimal() or (last and not last.isdecimal()):
                return text
            span = set(range(int(first), int(last or first) + 1))
            numbers = numbers - span if part.strip().startswith("^") else numbers | span
        return tuple(sorted(numbers))

    def write(self, element: Any, value: Any) -> None:
        Attribute(self.path, self.name).write(element, _spans(value) if value else None)


def _spans(numbers: Iterable[int]) -> str:
    """Return numbers as libvirt writes them, such as `0-2,5`."""
    spans: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def _find(element: Any, path: str) -> Any:
    # Step by step: longer paths are walked in Python, and a cloud has thousands of definitions.
    for name in path.split("/") if path else ():
        if element is None:
            return None
        element = element.find(name)
    return element


def _make(element: Any, path: str) -> Any:
    for name in path.split("/") if path else ():
        found = element.find(name)
        if found is None:
            found = element.makeelement(name, {})
            element.append(found)
        element = found
    return element


def _prune(element: Any, path: str) -> None:
    """Remove what a value has left empty, from the innermost element outwards."""
    while path:
        parent = path.rpartition("/")[0]
        above, found = _find(element, parent), _find(element, path)
        if found is None or len(found) or found.attrib or (found.text or "").strip():
            return
        above.remove(found)
        path = parent


def _parse(text: str | None, form: Form) -> Any:
    """What is no value of this form, written by hand, is told from every value that there can be."""
    if text is None or form == "str":
        return text
    if form == "int":
        return int(text) if text.isdecimal() else text
    return {word: bool(truth) for truth, word in enumerate(_WORDS[form])}.get(text, text)


def _render(value: Any, form: Form) -> str:
    return _WORDS[form][bool(value)] if form in _WORDS else str(value)
