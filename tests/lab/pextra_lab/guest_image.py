# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests' disk images: a kernel of Debian's and a busybox initramfs on a FAT disk that syslinux boots.

Two of them differ in their kernel. The tiny guest's is the cloud kernel, which has drivers for virtio and little else.
The full guest's has them all, so that it sees what else a machine can have; it takes longer to boot.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .content_hash import hash_inputs
from .names import CACHE_DIRECTORY, FULL_GUEST_IMAGE, GUEST_IMAGE, LAB_DIRECTORY, LAB_LABEL, SUITE, image_name
from .node_images import LIMITS, RUNTIME, bare_inputs
from .processes import LabError, run
from .progress import say, step

GUEST_RECIPE = LAB_DIRECTORY / "guest"
DISK_MIB = 24

# Loaded with what they depend on, in this order. Debian's cloud kernel has no AHCI: a SATA CD is not seen.
MODULES = (
    "virtio_ring", "virtio", "virtio_pci", "virtio_blk", "net_failover", "virtio_net", "virtio_rng",
    "virtio_balloon", "virtio_mem", "virtio_scsi", "ata_piix", "sr_mod", "sd_mod", "isofs", "nls_ascii",
    "nls_cp437", "nls_utf8", "vfat", "button", "evdev",
)  # fmt: skip
# What the full guest sees besides.
FURTHER_MODULES = (
    "ahci", "ehci_pci", "uhci_hcd", "xhci_pci", "usb_storage", "i6300esb",
    "vmw_vsock_virtio_transport", "virtiofs",
)  # fmt: skip
# What /init and the scripts call.
APPLETS = (
    "awk", "cat", "chmod", "cp", "cut", "dd", "grep", "head", "hostname", "insmod", "ip", "mkdir",
    "mount", "mv", "nc", "od", "ping", "poweroff", "reboot", "rm", "sed", "sh", "sha256sum", "sleep", "sync", "tail",
    "touch", "tr", "udhcpc", "umount", "uname", "usleep",
)  # fmt: skip

SYSLINUX_CONFIG = """\
SERIAL 0 115200
PROMPT 0
DEFAULT tiny
LABEL tiny
  LINUX vmlinuz
  INITRD initrd
  APPEND console=ttyS0,115200 quiet mitigations=off no_timer_check panic=5
"""

# The kernel comes out of the node's Debian, so the machine's own suite does not matter.
DOWNLOAD = """\
apt-get update -q
kernel=$(apt-cache depends "$1" | awk '/Depends: linux-image/ { print $2; exit }')
cd /download
apt-get download -q "$kernel" busybox-static
"""


@dataclass(frozen=True)
class Guest:
    """A guest's image, the Debian package of its kernel, and the modules that its /init loads."""

    image: Path
    kernel: str
    modules: tuple[str, ...]

    @property
    def checksum(self) -> Path:
        return self.image.with_name(self.image.name + ".sha256")

    @property
    def inputs(self) -> Path:
        return self.image.with_name(self.image.name + ".inputs")


TINY = Guest(GUEST_IMAGE, "linux-image-cloud-amd64", MODULES)
FULL = Guest(FULL_GUEST_IMAGE, "linux-image-amd64", MODULES + FURTHER_MODULES)


def guest_inputs() -> str:
    return hash_inputs([GUEST_RECIPE, Path(__file__)], bare_inputs())


def is_guest_image_current(guest: Guest) -> bool:
    if not (guest.image.exists() and guest.checksum.exists() and guest.inputs.exists()):
        return False
    if guest.inputs.read_text().strip() != guest_inputs():
        return False
    return hashlib.sha256(guest.image.read_bytes()).hexdigest() == guest.checksum.read_text().split()[0]


def download_packages(guest: Guest, work: Path) -> Path:
    """Kernel and busybox, unpacked; returns the directory of the unpacked tree."""
    download, tree = work / "download", work / "tree"
    download.mkdir()
    tree.mkdir()
    run([
        "podman", *RUNTIME, "run", "--rm", "--network", "host", *LIMITS, "--label", LAB_LABEL,
        "--volume", f"{download}:/download",
        image_name("bare"), "sh", "-euc", DOWNLOAD, "sh", guest.kernel,
    ])  # fmt: skip
    for package in sorted(download.glob("*.deb")):
        run(["dpkg-deb", "--extract", package, tree])
    return tree


def modules_in_order(guest: Guest, tree: Path, version: str) -> list[str]:
    """The guest's .ko files (relative to the modules' directory) and what they need, dependencies first."""
    run(["depmod", "--basedir", tree, version])
    directory = tree / "lib" / "modules" / version
    needs: dict[str, list[str]] = {}
    for line in (directory / "modules.dep").read_text().splitlines():
        module, _, dependencies = line.partition(":")
        needs[module] = dependencies.split()
    by_name = {Path(module).stem.replace("-", "_"): module for module in needs}
    built_in = {Path(line).stem.replace("-", "_") for line in (directory / "modules.builtin").read_text().split()}
    ordered: list[str] = []
    for name in guest.modules:
        if name in built_in:
            continue
        if name not in by_name:
            raise LabError(f"Kernel {version} has no module {name}: correct {__file__}")
        # modules.dep names the nearest dependency first.
        for module in [*reversed(needs[by_name[name]]), by_name[name]]:
            if module not in ordered:
                ordered.append(module)
    return ordered


def build_initramfs(guest: Guest, tree: Path, version: str, work: Path) -> Path:
    root = work / "root"
    for directory in ("bin", "dev", "proc", "sys", "run", "etc", "modules"):
        (root / directory).mkdir(parents=True)
    shutil.copy(tree / "bin" / "busybox", root / "bin" / "busybox")
    for applet in APPLETS:
        (root / "bin" / applet).symlink_to("busybox")
    for name in ("init", "udhcpc-event", "yaml.awk"):
        shutil.copy(GUEST_RECIPE / name, root / name)
    for name in ("init", "udhcpc-event"):
        (root / name).chmod(0o755)
    names = []
    for number, module in enumerate(modules_in_order(guest, tree, version)):
        names.append(f"{number:02}-{Path(module).name}")
        shutil.copy(tree / "lib" / "modules" / version / module, root / "modules" / names[-1])
    (root / "modules" / "list").write_text("".join(f"{name}\n" for name in names))
    initrd = work / "initrd"
    run([
        "sh", "-euc",
        'find . | LC_ALL=C sort | cpio --quiet --create --format newc --owner 0:0 --reproducible | gzip -9n > "$1"',
        "sh", initrd,
    ], cwd=root)  # fmt: skip
    return initrd


def build_disk(kernel: Path, initrd: Path, work: Path) -> Path:
    """A FAT disk that boots, made without root and without loop devices; returns the compressed qcow2."""
    raw, image, config = work / "tiny.raw", work / "tiny.qcow2", work / "syslinux.cfg"
    config.write_text(SYSLINUX_CONFIG)
    with raw.open("wb") as file:
        file.truncate(DISK_MIB * 1024 * 1024)
    run(["mkfs.vfat", "-F", "16", "-n", "PEXTRATINY", "-i", "50455854", raw])
    run(["syslinux", "--install", raw])
    for source, target in ((kernel, "vmlinuz"), (initrd, "initrd"), (config, "syslinux.cfg")):
        run(["mcopy", "-i", raw, source, f"::{target}"])
    run(["qemu-img", "convert", "-c", "-O", "qcow2", raw, image])
    return image


def ensure_guest_image(guest: Guest = TINY, *, rebuild: bool = False) -> None:
    """Builds the image and its .sha256 in the cache, unless they were built from just these inputs."""
    CACHE_DIRECTORY.mkdir(parents=True, exist_ok=True)
    for left in CACHE_DIRECTORY.glob("guest-*"):
        shutil.rmtree(left)  # of a build that was killed
    if not rebuild and is_guest_image_current(guest):
        say(f"Guest image: current ({guest.image})")
        return
    with step("Build the guest image"), tempfile.TemporaryDirectory(dir=CACHE_DIRECTORY, prefix="guest-") as name:
        work = Path(name)
        tree = download_packages(guest, work)
        version = next((tree / "lib" / "modules").iterdir()).name
        initrd = build_initramfs(guest, tree, version, work)
        image = build_disk(tree / "boot" / f"vmlinuz-{version}", initrd, work)
        checksum = hashlib.sha256(image.read_bytes()).hexdigest()
        # The inputs are written last: a build killed in between counts as none.
        guest.inputs.unlink(missing_ok=True)
        os.replace(image, guest.image)
        guest.checksum.write_text(f"{checksum}  {guest.image.name}\n")
        guest.inputs.write_text(guest_inputs() + "\n")
    say(f"Guest image: {guest.image}, {guest.image.stat().st_size / 1e6:.1f} MB, Debian {SUITE}, kernel {version}")
