# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The podman images that nodes start from: `bare`, a fresh Debian; `node`, the same with the roles' packages; and
`ceph`, a `node` with those of Ceph. `controller` is the machine that a new user sits at. The last two are built only
when they are asked for.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from .content_hash import hash_inputs, read_lines
from .names import CACHE_DIRECTORY, INPUTS_LABEL, KIND_LABEL, LAB_DIRECTORY, LAB_LABEL, SUITE, image_name
from .processes import LabError, inspect, run
from .progress import say, step

BARE_RECIPE = LAB_DIRECTORY / "images" / "bare"
NODE_RECIPE = LAB_DIRECTORY / "images" / "node"
CONTROLLER_RECIPE = LAB_DIRECTORY / "images" / "controller"
NODE_PACKAGES = LAB_DIRECTORY / "node-packages.txt"
CEPH_PACKAGES = LAB_DIRECTORY / "ceph-packages.txt"
# Built only when a node is to start from it, so that nobody waits for what is not used.
KINDS_ON_DEMAND = ("ceph",)
BASE_IMAGE = "localhost/pextra-lab/base:building"

# Debian's crun refuses hybrid cgroups; without limits podman asks for more than a small machine grants.
RUNTIME = ("--runtime", "runc")
LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")


def bare_inputs() -> str:
    return hash_inputs([BARE_RECIPE], SUITE)


def node_inputs() -> str:
    return hash_inputs([NODE_RECIPE, NODE_PACKAGES], bare_inputs())


def ceph_inputs() -> str:
    return hash_inputs([CEPH_PACKAGES], node_inputs())


def controller_inputs() -> str:
    return hash_inputs([CONTROLLER_RECIPE], SUITE)


def is_current(kind: str, inputs: str) -> bool:
    image = inspect("image", image_name(kind))
    return image is not None and (image.get("Labels") or {}).get(INPUTS_LABEL) == inputs


def build(kind: str, context: Path, base: str, inputs: str) -> None:
    # --network host: while an image is built, the machine's own resolver must do.
    run([
        "podman", *RUNTIME, "build", "--network", "host", *LIMITS, "--pull=never",
        "--build-arg", f"BASE={base}",
        "--label", f"{LAB_LABEL}=image", "--label", f"{KIND_LABEL}={kind}", "--label", f"{INPUTS_LABEL}={inputs}",
        "--tag", image_name(kind), context,
    ], timeout_s=1800)  # fmt: skip


def bootstrap(kind: str, recipe: Path, inputs: str) -> None:
    """Builds an image from nothing but Debian's packages."""
    packages = ",".join(read_lines(recipe / "packages.txt"))
    with tempfile.TemporaryDirectory(dir=CACHE_DIRECTORY, prefix=f"{kind}-") as name:
        tarball = Path(name) / "root.tar"
        with step(f"Bootstrap Debian {SUITE} with mmdebstrap"):
            run(["mmdebstrap", "--variant=minbase", f"--include={packages}", SUITE, tarball], timeout_s=1800)
        with step(f"Build {image_name(kind)}"):
            run(["podman", "import", "--change", f"LABEL {LAB_LABEL}=image", tarball, BASE_IMAGE])
            build(kind, recipe, BASE_IMAGE, inputs)
            run(["podman", "untag", BASE_IMAGE])


def build_with_packages(kind: str, packages: Path, base: str, inputs: str) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE_DIRECTORY, prefix="node-") as name:
        shutil.copy(NODE_RECIPE / "Containerfile", name)
        shutil.copy(packages, Path(name) / "node-packages.txt")
        with step(f"Build {image_name(kind)}: {len(read_lines(packages))} packages and what they need"):
            build(kind, Path(name), image_name(base), inputs)


def ensure_images(*, rebuild: bool = False, with_ceph: bool = False, with_controller: bool = False) -> None:
    """Builds the images unless they were built from just these inputs."""
    CACHE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    for kind in ("bare", "node", "controller"):
        for left in CACHE_DIRECTORY.glob(f"{kind}-*"):
            shutil.rmtree(left)  # of a build that was killed
    bare, node = bare_inputs(), node_inputs()
    if rebuild or not is_current("bare", bare):
        bootstrap("bare", BARE_RECIPE, bare)
    if rebuild or not is_current("node", node):
        build_with_packages("node", NODE_PACKAGES, "bare", node)
    if with_ceph and (rebuild or not is_current("ceph", ceph_inputs())):
        build_with_packages("ceph", CEPH_PACKAGES, "node", ceph_inputs())
    if with_controller and (rebuild or not is_current("controller", controller_inputs())):
        bootstrap("controller", CONTROLLER_RECIPE, controller_inputs())
    run(["podman", "image", "prune", "--force", "--filter", f"label={LAB_LABEL}=image"])
    say("Node images: current")


def image_id(kind: str) -> str:
    image = inspect("image", image_name(kind))
    if image is None:
        raise LabError(f"There is no image {image_name(kind)}. Run: tests/lab/lab images")
    found: str = image["Id"]
    return found


def remove_images() -> None:
    for name in (*map(image_name, ("controller", "ceph", "node", "bare")), BASE_IMAGE):
        run(["podman", "rmi", "--force", "--ignore", name], check=False)
    run(["podman", "image", "prune", "--force", "--filter", f"label={LAB_LABEL}=image"])
