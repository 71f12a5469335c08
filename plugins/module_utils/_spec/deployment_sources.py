"""Where images of the deployment document come from: files on the controller exist, downloads have a checksum."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence

from ._image_source import is_url
from ._mistake import Mistake
from .deployment_elements import Declared, Written
from .image import Image

# Looks at a file on the controller; returns what is wrong with it, or None.
FileCheck = Callable[[str], str | None]


def resolve_sources(images: Sequence[Written], directory: str) -> tuple[Written, ...]:
    """Make files' names absolute. directory: what relative ones are relative to."""
    return tuple(_resolve(element, directory) for element in images)


def _resolve(element: Written, directory: str) -> Written:
    source = element.word("source")
    if not source or is_url(source) or source.startswith("-"):
        return element
    path = posixpath.normpath(posixpath.join(directory, source))
    return Written(element.path, {**element.value, "source": path})


def find_source_mistakes(images: Sequence[Declared[Image]], check_file: FileCheck) -> list[Mistake]:
    """Check the sources of present images, which are absolute."""
    mistakes: list[Mistake] = []
    for element in images:
        spec, path = element.spec, f"{element.path}.source"
        if spec.state != "present":
            continue
        if spec.source is None:
            mistakes.append(Mistake(path, "is missing; write a file on the controller, or an http or https URL"))
        elif not is_url(spec.source):
            problem = check_file(spec.source)
            mistakes += [Mistake(path, problem)] if problem else []
        elif spec.sha256 is None:
            problem = "is missing; what is downloaded needs the SHA-256 that its publisher states"
            mistakes.append(Mistake(f"{element.path}.sha256", problem))
    return mistakes
