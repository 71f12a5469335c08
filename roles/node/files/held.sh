# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# Prints what this host holds of the deployment, a line for each: domains that bear its metadata, and Ceph's OSDs and
# monitors. Fails when libvirt does not tell.
for directory in /var/lib/ceph/osd/ceph-* /var/lib/ceph/mon/ceph-*; do
    [ -e "$directory/whoami" ] && echo "OSD ${directory##*-} of Ceph"
    [ -d "$directory/store.db" ] && echo "Ceph's monitor ${directory##*/ceph-}"
done

command -v virsh >/dev/null || exit 0

ask() {
    timeout 30 virsh --connect "$driver" "$@"
}

drivers=qemu:///system
ls /usr/lib/*/libvirt/connection-driver/libvirt_driver_lxc.so >/dev/null 2>&1 && drivers="$drivers lxc:///system"
for driver in $drivers; do
    uuids=$(ask list --all --uuid) || {
        echo "libvirt does not tell which instances are here: see systemctl status libvirtd on the node" >&2
        exit 1
    }
    for uuid in $uuids; do
        # One that is gone by now has no definition.
        ask dumpxml --inactive "$uuid" | grep -q 'urn:pextra:' || continue
        echo "instance $(ask domname "$uuid" | head -n 1)"
    done
done
