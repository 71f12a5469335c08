# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where images of the deployment document come from: files on the controller exist, downloads have a checksum."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence

from ..._model.mistake import Mistake
from ..._model.source import is_url, lacks_scheme
from ..._nouns.image.distributions import DISTRIBUTIONS, find_distribution, suggest_distribution
from ..._nouns.image.spec import Image, find_mistakes_within
from ..._nouns.image.trust import find_trust_mistakes, from_inline
from ..elements import Declared, Written

_SOURCE_MISSING = (
    "is missing; write a file on the controller, an http or https URL, or the short name of a cloud image: "
    f"{', '.join(DISTRIBUTIONS)}"
)
# Looks at a file on the controller; returns what is wrong with it, or None.
FileCheck = Callable[[str], str | None]


def resolve_sources(images: Sequence[Written], directory: str) -> tuple[Written, ...]:
    """Make files' names absolute. directory: what relative ones are relative to."""
    return tuple(_resolve(element, directory) for element in images)


def _resolve(element: Written, directory: str) -> Written:
    """Of every option that may name a file. What is no text, or is wrong anyway, is told when it is parsed."""
    if not isinstance(element.value, Mapping):
        return element
    value = dict(element.value)
    for key in ("source", "signature", "signing_key", "checksums"):
        if key in value and not (key == "source" and find_distribution(value[key])):
            value |= {key: _absolute(value[key], directory)}
    if isinstance(value.get("mirrors"), list | tuple):
        value["mirrors"] = [_absolute_mirror(mirror, directory) for mirror in value["mirrors"]]
    return Written(element.path, value)


def resolve_mirrors(mirrors: Sequence[str], directory: str) -> tuple[str, ...]:
    """Make the names of directories absolute, likewise."""
    return tuple(str(_absolute(mirror, directory)) for mirror in mirrors)


def _absolute(name: object, directory: str) -> object:
    if not isinstance(name, str) or not name or name.startswith("-"):
        return name
    if is_url(name) or from_inline(name) is not None:
        return name
    return posixpath.normpath(posixpath.join(directory, name))


def _absolute_mirror(name: object, directory: str) -> object:
    return name if isinstance(name, str) and lacks_scheme(name) else _absolute(name, directory)


def find_source_mistakes(images: Sequence[Declared[Image]], check_file: FileCheck) -> list[Mistake]:
    """Check the sources of present images, which are absolute."""
    mistakes: list[Mistake] = []
    for element in images:
        spec, path = element.spec, f"{element.path}.source"
        if spec.state != "present":
            continue
        if spec.source is None:
            mistakes.append(Mistake(path, _SOURCE_MISSING))
        elif find_distribution(spec.source) is not None:
            pass  # its publisher's list of checksums is asked when it is had
        elif not is_url(spec.source):
            problem = check_file(spec.source)
            problem = problem and f"{problem}.{suggest_distribution(spec.source)}".removesuffix(".")
            mistakes += [Mistake(path, problem)] if problem else []
        elif spec.sha256 is None:
            problem = "is missing; what is downloaded needs the SHA-256 that its publisher states"
            mistakes.append(Mistake(f"{element.path}.sha256", problem))
        for key in ("signature", "signing_key", "checksums"):
            name = getattr(spec, key)
            if name is not None and not is_url(name) and from_inline(name) is None:
                problem = check_file(name)
                mistakes += [Mistake(f"{element.path}.{key}", problem)] if problem else []
        mistakes += [*find_mistakes_within(spec, element.path), *find_trust_mistakes(spec, element.path)]
    return mistakes
