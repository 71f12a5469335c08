# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the controller that images begin from: looked at here, and copied to the coordinator if they are needed.

The module knows what is missing in the storage pools, so it is asked first, in check mode, whenever a file is not in
the coordinator's cache. A converged cloud costs one look at the cache and one run of the module. Small files of the
controller, signatures and keys, are handed over as the values of their options.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.digests import DigestCache
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.image_files import DIRECTORY, cached_path
from ansible_collections.pextra.cloud.plugins.module_utils._doors.host.image_inspection import inspect_image
from ansible_collections.pextra.cloud.plugins.module_utils._fields.common import parse_spec
from ansible_collections.pextra.cloud.plugins.module_utils._model.errors import PextraError, Problem
from ansible_collections.pextra.cloud.plugins.module_utils._model.source import is_url
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.distributions import (
    find_distribution,
    suggest_distribution,
    url_of,
)
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.plan.presence import FETCH_TEXT, STAGE_TEXT
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.spec import FIELDS, Image
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.trust import from_inline, to_inline
from ansible_collections.pextra.cloud.plugins.module_utils._nouns.image.trust import mirrored as in_mirror
from ansible_collections.pextra.cloud.plugins.plugin_utils.runner import ModuleAction

# More than any signature, public key or list of checksums takes.
_SMALL = 1024**2

display = Display()


@dataclass(frozen=True)
class LocalFile:
    """A file of the controller that an image begins from. size is bytes."""

    image: str
    path: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Mirrored:
    """A file that a directory of the controller may hold instead of a URL."""

    image: str
    paths: tuple[str, ...]
    sha256: str


class ImageAction(ModuleAction):
    """An action that hands images to its module."""

    def look_at_files(self, elements: list[Any]) -> tuple[list[Any], list[LocalFile], list[Mirrored], list[Problem]]:
        """Return the elements with the digests of their files, the files, and all that is wrong with them.

        Elements with mistakes are passed on as they are: the module names all of them.
        """
        checked: list[Any] = []
        files: list[LocalFile] = []
        mirrored: list[Mirrored] = []
        problems: list[Problem] = []
        with DigestCache(is_read_only=not self.applies) as digests:
            for element in elements:
                image = _parse(element)
                if image is None or image.state != "present":
                    checked.append(element)
                    continue
                try:
                    given = {**element, **self._read_small(image)}
                    url = url_of(image)
                    if image.source and url is None and find_distribution(image.source) is None:
                        found = self._look_at(image, digests)
                        files.append(found)
                        given |= {"source": found.path, "sha256": found.sha256}
                    elif url is not None and image.sha256:
                        directories = [mirror for mirror in image.mirrors or () if not is_url(mirror)]
                        paths = tuple(self._resolve(in_mirror(one, url)) for one in directories)
                        mirrored += [Mirrored(image.name, paths, image.sha256)] if paths else []
                    checked.append(given)
                except PextraError as error:
                    problems += error.problems
        return checked, files, mirrored, problems

    def _read_small(self, image: Image) -> dict[str, str]:
        """Return the options that name a small file of the controller, with what is in it instead."""
        found = {}
        for option in ("signature", "signing_key", "checksums"):
            value = getattr(image, option)
            if value is None or is_url(value) or from_inline(value) is not None:
                continue
            path = self._resolve(value)
            try:
                with open(path, "rb") as file:
                    content = file.read(_SMALL + 1)
            except OSError as error:
                what = f"its {option} {path} cannot be read on the controller: {error.strerror}"
                remedy = f"Write {option} as an absolute path, or relative to the inventory."
                raise PextraError([Problem(what, remedy, resource=f"image {image.name}")]) from error
            if len(content) > _SMALL:
                what = f"its {option} {path} is longer than {_SMALL // 1024} KiB, and hardly what it should be"
                raise PextraError([Problem(what, "Give the right file.", resource=f"image {image.name}")])
            if b"PRIVATE KEY" in content:
                what = f"its {option} {path} is a private key"
                remedy = "Give the public one: gpg --armor --export FINGERPRINT."
                raise PextraError([Problem(what, remedy, resource=f"image {image.name}")])
            found[option] = to_inline(content)
        return found

    def _look_at(self, image: Image, digests: DigestCache) -> LocalFile:
        label = f"image {image.name}"
        path = self._resolve(image.source or "")
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise PextraError([Problem(f"{path} is not a file", "Give source a regular file.", resource=label)])
                image_format = image.format or ("raw" if image.kind == "iso" else None)
                if image_format is not None:  # otherwise the coordinator, which knows, looks at it before it is used
                    largest = image.max_size or int(FIELDS["max_size"].made)
                    inspect_image(file, image_format, largest, label, is_iso=image.kind == "iso")
                file.seek(0)
                sha256 = digests.digest_of(path, file)
        except OSError as error:
            raise PextraError(
                [
                    Problem(
                        f"its file {path} cannot be read on the controller: {error.strerror}",
                        "Write source as an absolute path, or relative to the inventory."
                        + suggest_distribution(image.source or ""),
                        resource=label,
                    )
                ]
            ) from error
        if image.sha256 is not None and image.sha256 != sha256:
            raise PextraError(
                [
                    Problem(
                        f"{path} has the SHA-256 {sha256}, not {image.sha256} as declared",
                        "Put the right file there, or correct sha256.",
                        resource=label,
                    )
                ]
            )
        return LocalFile(image.name, path, sha256, status.st_size)

    def _resolve(self, source: str) -> str:
        base = self.variables.get("inventory_dir") or self._loader.get_basedir()
        return os.path.realpath(os.path.join(base, os.path.expanduser(source)))

    def find_absent(self, files: Sequence[LocalFile], mirrored: Sequence[Mirrored]) -> list[LocalFile | Mirrored]:
        """Return what is not in the coordinator's cache, and could be copied there: in a check nothing. A converged
        cloud costs this one look.
        """
        if not self.applies:
            return []
        cached = self._read_cache() if files or mirrored else {}
        absent: list[LocalFile | Mirrored] = [file for file in files if cached.get(file.sha256) != file.size]
        return absent + [one for one in mirrored if one.sha256 not in cached]

    def stage(self, absent: Sequence[LocalFile | Mirrored], arguments: dict[str, Any]) -> None:
        """Copy to the coordinator's cache what the module needs of it. arguments: those that tell it of the images."""
        actions = self.expect(arguments)
        staged: set[str] = set()
        with DigestCache() as digests:
            for one in absent:
                is_local = isinstance(one, LocalFile)
                if one.sha256 in staged or not _needs(actions, one.image, STAGE_TEXT if is_local else FETCH_TEXT):
                    continue
                found = one if isinstance(one, LocalFile) else _find_mirrored(one, digests)
                if found is not None:
                    self._copy(found)
                    staged.add(one.sha256)

    def _read_cache(self) -> dict[str, int]:
        """Return the sizes of the files in the cache, by digest."""
        command = f"find {shlex.quote(DIRECTORY)} -maxdepth 1 -type f -printf '%f %s\\n' 2>/dev/null || true"
        answer = self._low_level_execute_command(command, sudoable=True)
        pairs = [line.split() for line in answer["stdout"].splitlines()]
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}

    def _copy(self, file: LocalFile) -> None:
        """Transfer a file beside its place, verify it there, then rename it: its name means that it is complete."""
        display.display(f"image {file.image}: copying {file.size / 1024**2:.0f} MiB to the coordinator")
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        arrived = self._connection._shell.join_path(self._connection._shell.tmpdir, file.sha256)
        self._transfer_file(file.path, arrived)
        part = f"{DIRECTORY}/.{file.sha256}.copy"
        source, beside, final = shlex.quote(arrived), shlex.quote(part), shlex.quote(cached_path(file.sha256))
        directory = shlex.quote(DIRECTORY)
        parent = shlex.quote(os.path.dirname(DIRECTORY))
        command = (
            f"umask 077 && mkdir -p -m 0711 {parent} && mkdir -p -m 0700 {directory} && "
            f"mv -f {source} {beside} && chown 0:0 {beside} && chmod 0600 {beside} && "
            f"echo '{file.sha256}  {part}' | sha256sum --check --status && mv -f {beside} {final} || "
            f"{{ status=$?; rm -f {beside}; exit $status; }}"
        )
        answer = self._low_level_execute_command(command, sudoable=True)
        if answer["rc"] != 0:
            detail = (answer.get("stderr") or answer.get("stdout") or "the copy differs from the file").strip()
            raise AnsibleActionFail(
                f"image {file.image}: {file.path} could not be copied to {DIRECTORY} on the coordinator: {detail}. "
                "Free space there if the disk is full, and run again."
            )


def _parse(element: Any) -> Image | None:
    if not isinstance(element, dict):
        return None
    own = {key: value for key, value in element.items() if key in FIELDS}
    image, _ = parse_spec(FIELDS, Image, own, "")
    return image


def _find_mirrored(wanted: Mirrored, digests: DigestCache) -> LocalFile | None:
    """Return the first file of the mirrors that is the right one. Others are told, and passed over."""
    for path in wanted.paths:
        try:
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    continue
                sha256 = digests.digest_of(path, file)
        except FileNotFoundError:
            continue
        except OSError as error:
            display.warning(f"image {wanted.image}: {path} cannot be read, and is passed over: {error.strerror}")
            continue
        if sha256 == wanted.sha256:
            return LocalFile(wanted.image, path, sha256, status.st_size)
        display.warning(f"image {wanted.image}: {path} has the SHA-256 {sha256}, and is passed over")
    return None


def _needs(actions: Any, image: str, text: str) -> bool:
    """Tell whether what check mode predicts needs the image's file."""
    return any(str(action).startswith(f"image {image}:") and text in str(action) for action in actions or [])
