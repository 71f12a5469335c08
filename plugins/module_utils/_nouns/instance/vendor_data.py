# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we tell a guest's cloud-init beside its user data: what volumes become, and that its network may change. Pure.

The user data stay the user's. cloud-init's own `fs_setup` is not used: it makes a file system on a disk whose data bear
no signature, and runs once in an instance's life, so that it never sees a volume that is added later.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from .cloud_init_checks import is_mime
from .labels import VolumeLabel

if TYPE_CHECKING:
    from email.message import Message  # imported where parts are put together, which most runs need not

# Without it cloud-init reads the network of a guest that it knows already, and leaves it as it was.
NETWORK = "#cloud-config\nupdates: {network: {when: [boot-new-instance, boot]}}\n"
# Run by cloud-init at each boot. It finds a disk by its serial, of which it may see 20 characters.
_HOOK = """\
#cloud-boothook
#!/bin/sh
# Written by pextra.cloud, for the volumes of this instance that are to have a file system or a mount point.
mark=x-pextra.volume
lines=
failed=0

say() {
    echo "pextra: $*" >&2
    # Where it is seen from outside.
    { echo "pextra: $*" >/dev/console; } 2>/dev/null
}

fail() {
    say "$*"
    failed=1
}

# By what udev calls it; where that follows another name of the disk (wwn), by its serial. Never a partition.
find_disk() {
    for name in "virtio-$2" "scsi-0QEMU_QEMU_HARDDISK_$1" "scsi-0QEMU_QEMU_HARDDISK_$2" "ata-QEMU_HARDDISK_$2" \
        "usb-QEMU_QEMU_HARDDISK_$1-0:0" "usb-QEMU_QEMU_HARDDISK_$2-0:0"; do
        path=$(readlink -f "/dev/disk/by-id/$name")
        if [ -b "$path" ] && [ ! -e "/sys/class/block/${path##*/}/partition" ]; then
            echo "$path"
            return 0
        fi
    done
    lsblk --nodeps --noheadings --raw --output PATH,SERIAL | while read -r path serial; do
        [ "$serial" != "$1" ] && [ "$serial" != "$2" ] || echo "$path"
    done | grep -m 1 .
}

# Only what bears no signature, no partitions, and nothing in its first and last MiB is empty. What cannot be asked or
# read is not.
is_empty() {
    size=$(blockdev --getsize64 "$1") || return 1
    [ "$size" -ge 2097152 ] || return 1
    blkid -p "$1" >/dev/null 2>&1
    [ $? -eq 2 ] || return 1
    cmp -s -n 1048576 "$1" /dev/zero && cmp -s -i "$((size - 1048576)):0" -n 1048576 "$1" /dev/zero
}

# Its line stays as it is where the volume is away for once, or nobody can tell what it is.
keep_line() {
    [ -n "$2" ] || return
    had=$(grep "$mark=$1 " /etc/fstab) && lines="$lines$had
"
}

# Name, its first 20 characters, file system, mount point; the last two may be empty.
volume() {
    if ! disk=$(find_disk "$1" "$2"); then
        fail "volume $1 is not there"
        keep_line "$1" "$4"
        return
    fi
    if [ -n "$3" ] && is_empty "$disk"; then
        if grep -q "$mark=$1 " /etc/fstab; then
            fail "volume $1 had a file system, and has none now: nothing is made on it"
            keep_line "$1" "$4"
            return
        fi
        if ! mkfs."$3" -q "$disk" </dev/null >&2; then
            fail "volume $1: no file system of type $3 could be made"
            return
        fi
        say "volume $1: made a file system of type $3"
    fi
    is=$(blkid -p -s TYPE -o value "$disk")
    if [ "$(blkid -p -s USAGE -o value "$disk")" != filesystem ]; then
        fail "volume $1 has no file system, and is left as it is${3:+: it is not empty}"
        keep_line "$1" "$4"
        return
    fi
    [ -z "$3" ] || [ "$3" = "$is" ] || say "volume $1 has a file system of type $is already, and keeps it"
    [ -n "$4" ] || return
    if grep -v "$mark=" /etc/fstab | awk -v point="$4" '
        $1 !~ /^#/ && ($2 == point || $2 == point "/") { found = 1 } END { exit !found }'; then
        say "volume $1 is left to the line of $4 that is in /etc/fstab already"
        return
    fi
    check=2
    [ "$is" != xfs ] || check=0
    lines="${lines}UUID=$(blkid -p -s UUID -o value "$disk") $4 $is defaults,nofail,$mark=$1 0 $check
"
}

! command -v udevadm >/dev/null || udevadm settle --timeout=60
__VOLUMES__
touch /etc/fstab
before=$(grep "$mark=" /etc/fstab)
if [ "$before" != "${lines%?}" ]; then
    # What is mounted below another goes before it, and comes back further down if only the other one goes.
    gone=$(echo "$before" | while read -r device point rest; do
        [ -z "$point" ] || echo "$lines" | grep -qF "$device $point " || echo "$point"
    done)
    echo "$before" | LC_ALL=C sort -r -k 2,2 | while read -r device point rest; do
        for outer in $gone; do
            case $point/ in "$outer"/*)
                umount "$point"
                break
                ;;
            esac
        done
    done
    # A guest that loses power has the old file or the new one.
    cp -p /etc/fstab /etc/fstab.pextra &&
        { grep -v "$mark=" /etc/fstab; [ $? -lt 2 ] && printf %s "$lines"; } >/etc/fstab.pextra &&
        sync && mv /etc/fstab.pextra /etc/fstab || fail "/etc/fstab could not be written"
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
fi
while read -r device point rest; do
    [ -n "$point" ] || continue
    mkdir -p "$point"
    mountpoint -q "$point" || mount "$point" || fail "$device could not be mounted on $point"
done <<END
$lines
END
exit $failed
"""


def render_vendor_data(declared: str, volumes: Sequence[VolumeLabel]) -> str:
    """Return vendor data of several parts: ours, and the declared ones, which count for more.

    Parts are divided by a line that follows from what they are: the same parts are the same text.
    """
    return _render(declared, tuple(_lines(volumes)))


@lru_cache(maxsize=64)
def _render(declared: str, lines: tuple[str, ...]) -> str:
    """Most instances are told the same."""
    from email.mime.multipart import MIMEMultipart

    parts = [NETWORK, _HOOK.replace("__VOLUMES__", "\n".join(lines))]
    parts += [declared] if declared.strip() else []
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    whole = MIMEMultipart(boundary=f"=={digest[:32]}==")
    for part in parts:
        whole.attach(_attached(part))
    return whole.as_string()


def _attached(text: str) -> Message:
    """What a part is, cloud-init finds out itself; of parts within parts it wants the parts."""
    from email.mime.text import MIMEText
    from email.parser import Parser

    if is_mime(text):
        return Parser().parsestr(text)
    return MIMEText(text, "plain", "us-ascii" if text.isascii() else "utf-8")


def _lines(volumes: Sequence[VolumeLabel]) -> list[str]:
    # What is mounted below another comes after it.
    wanted = sorted(told(volumes), key=lambda one: (one.mountpoint, one.name))
    return [shlex.join(["volume", one.name, one.name[:20], one.filesystem, one.mountpoint]) for one in wanted]


def told(volumes: Sequence[VolumeLabel]) -> tuple[VolumeLabel, ...]:
    """Return the volumes of which a guest is told anything, in an order that says nothing, and no more of them."""
    some = (one for one in volumes if one.filesystem or one.mountpoint)
    return tuple(sorted((replace(one, pool="", size=0, unit=None) for one in some), key=lambda one: one.name))
