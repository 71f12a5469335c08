# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The podman images that nodes start from: `bare`, a fresh Debian; `node`, the same with the roles' packages; `ceph`, a
`node` with those of Ceph. Of another Debian than the lab's own they are called by its suite as well: `node:trixie`.
`controller` is the machine that a new user sits at.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .content_hash import hash_inputs, read_lines
from .names import CACHE_DIRECTORY, INPUTS_LABEL, KIND_LABEL, LAB_DIRECTORY, LAB_LABEL, SUITE, image_name
from .processes import LabError, inspect, run
from .progress import say, step

BARE_RECIPE = LAB_DIRECTORY / "images" / "bare"
NODE_RECIPE = LAB_DIRECTORY / "images" / "node"
CONTROLLER_RECIPE = LAB_DIRECTORY / "images" / "controller"
NODE_PACKAGES = LAB_DIRECTORY / "node-packages.txt"
TRIXIE_PACKAGES = LAB_DIRECTORY / "node-packages-trixie.txt"
CEPH_PACKAGES = LAB_DIRECTORY / "ceph-packages.txt"


@dataclass(frozen=True)
class Image:
    """What an image is made of: a Debian, bootstrapped by a recipe, or packages on top of another image."""

    suite: str = SUITE
    recipe: Path = BARE_RECIPE
    base: str = ""
    packages: tuple[Path, ...] = (NODE_PACKAGES,)


IMAGES = {
    "bare": Image(),
    "node": Image(base="bare"),
    "ceph": Image(base="node", packages=(CEPH_PACKAGES,)),
    "controller": Image(recipe=CONTROLLER_RECIPE),
    "bare:trixie": Image(suite="trixie"),
    "node:trixie": Image(suite="trixie", base="bare:trixie", packages=(NODE_PACKAGES, TRIXIE_PACKAGES)),
}
# All others are built only when a node is to start from them, so that nobody waits for what is not used.
ALWAYS_BUILT = ("bare", "node")
BASE_IMAGE = "localhost/pextra-lab/base:building"

# Debian's crun refuses hybrid cgroups; without limits podman asks for more than a small machine grants.
RUNTIME = ("--runtime", "runc")
LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")


def inputs_of(kind: str) -> str:
    image = IMAGES[kind]
    if not image.base:
        return hash_inputs([image.recipe], image.suite)
    return hash_inputs([NODE_RECIPE, *image.packages], inputs_of(image.base))


def bare_inputs() -> str:
    """What is made in a bare node depends on it."""
    return inputs_of("bare")


def is_current(kind: str) -> bool:
    image = inspect("image", image_name(kind))
    return image is not None and (image.get("Labels") or {}).get(INPUTS_LABEL) == inputs_of(kind)


def build(kind: str, context: Path, base: str) -> None:
    # --network host: while an image is built, the machine's own resolver must do.
    run([
        "podman", *RUNTIME, "build", "--network", "host", *LIMITS, "--pull=never",
        "--build-arg", f"BASE={base}",
        "--label", f"{LAB_LABEL}=image", "--label", f"{KIND_LABEL}={kind}",
        "--label", f"{INPUTS_LABEL}={inputs_of(kind)}",
        "--tag", image_name(kind), context,
    ], timeout_s=1800)  # fmt: skip


def bootstrap(kind: str) -> None:
    """Builds an image from nothing but Debian's packages."""
    recipe, suite = IMAGES[kind].recipe, IMAGES[kind].suite
    packages = ",".join(read_lines(recipe / "packages.txt"))
    with tempfile.TemporaryDirectory(dir=CACHE_DIRECTORY, prefix="bare-") as name:
        tarball = Path(name) / "root.tar"
        with step(f"Bootstrap Debian {suite} with mmdebstrap"):
            run(["mmdebstrap", "--variant=minbase", f"--include={packages}", suite, tarball], timeout_s=1800)
        with step(f"Build {image_name(kind)}"):
            run(["podman", "import", "--change", f"LABEL {LAB_LABEL}=image", tarball, BASE_IMAGE])
            build(kind, recipe, BASE_IMAGE)
            run(["podman", "untag", BASE_IMAGE])


def build_with_packages(kind: str) -> None:
    image = IMAGES[kind]
    with tempfile.TemporaryDirectory(dir=CACHE_DIRECTORY, prefix="node-") as name:
        shutil.copy(NODE_RECIPE / "Containerfile", name)
        packages = [package for file in image.packages for package in read_lines(file)]
        (Path(name) / "node-packages.txt").write_text("".join(f"{package}\n" for package in packages))
        with step(f"Build {image_name(kind)}: {len(packages)} packages and what they need"):
            build(kind, Path(name), image_name(image.base))


def with_bases(kinds: Iterable[str]) -> list[str]:
    """The kinds and all that they are built on, each after its base."""
    found: list[str] = []
    for kind in kinds:
        base = IMAGES[kind].base
        found += [one for one in (*(with_bases([base]) if base else []), kind) if one not in found]
    return found


def ensure_images(kinds: Iterable[str] = (), *, rebuild: bool = False) -> None:
    """Builds what every lab needs, and the images of these kinds, unless they were built from just these inputs."""
    CACHE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    for left in [*CACHE_DIRECTORY.glob("bare-*"), *CACHE_DIRECTORY.glob("node-*")]:
        shutil.rmtree(left)  # of a build that was killed
    for kind in with_bases([*ALWAYS_BUILT, *kinds]):
        if not rebuild and is_current(kind):
            continue
        if IMAGES[kind].base:
            build_with_packages(kind)
        else:
            bootstrap(kind)
    run(["podman", "image", "prune", "--force", "--filter", f"label={LAB_LABEL}=image"])
    say("Node images: current")


def image_id(kind: str) -> str:
    image = inspect("image", image_name(kind))
    if image is None:
        raise LabError(f"There is no image {image_name(kind)}. Run: tests/lab/lab images")
    found: str = image["Id"]
    return found


def remove_images() -> None:
    for name in (*(image_name(kind) for kind in reversed(IMAGES)), BASE_IMAGE):
        run(["podman", "rmi", "--force", "--ignore", name], check=False)
    run(["podman", "image", "prune", "--force", "--filter", f"label={LAB_LABEL}=image"])
