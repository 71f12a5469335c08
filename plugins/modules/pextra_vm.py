#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm
short_description: Make and run instances
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - An instance is a virtual machine on one of the nodes of a cluster.
  - A new instance is placed on the node with most free memory that has its storage pools and port groups,
    and room for its virtual CPUs, unless it names its node.
  - What is made, started, grows or moves to run there is refused where the node has no room for its memory, or
    where more virtual CPUs would run than the O(pextra.cloud.pextra_cluster#module:vcpus_per_thread) of its cluster
    allows. What runs already and does not grow is never refused.
  - Changes are made while it runs where that is possible (NICs, further volumes, sizes, description, tags).
  - Memory, CPUs and cloud-init take effect at the next start, which O(allow_restart) allows now.
    Until then they are reported in RV(pending).
  - One that was saved (M(pextra.cloud.pextra_vm_power)) goes on with O(power=running) or O(power=paused). Until then it
    is V(stopped), and its definition, its volumes and its node cannot be changed.
  - Changing O(node) moves it, live if it runs, provided that its storage pools are shared.
  - Another image destroys the root volume, so it needs O(confirm=DESTROY), and a stopped instance or O(force_stop).
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.changing
  - pextra.cloud.attributes
options:
  # Options of one resource: written by tools/write_module_docs.py
  name:
    description:
      - The name of the instance, unique in the cluster.
      - Exactly one of O(name) and O(vms) is needed.
    type: str
  type: &type
    description:
      - V(qemu) is a virtual machine, V(lxc) a container, which has its node's kernel.
      - What it is, it stays.
      - A new one gets V(qemu) unless it is given.
    type: str
    choices:
      - qemu
      - lxc
  cluster: &cluster
    description:
      - The cluster, by name or identifier.
      - With a single cluster it need not be given.
    type: str
  organization: &organization
    description:
      - The organization that owns it, by name or identifier.
      - The root organization unless given.
    type: str
  node: &node
    description:
      - The node it runs on.
      - Chosen once by free memory unless given.
      - Changing it moves it.
    type: str
  adopt: &adopt
    description:
      - 'Whether a virtual machine of this name that is not the cloud''s becomes an instance as it is: nothing
        of it changes but its metadata, and nothing restarts.'
      - The call says only what it names, also in the deployment document; what is said otherwise than it
        is, is refused.
      - Of no effect on an instance.
    type: bool
  anti_affinity: &anti_affinity
    description:
      - Instances with the same word are never placed on one node.
      - An empty text is none.
    type: str
  image: &image
    description:
      - The image that the root volume begins from, by name or identifier.
    type: str
  root: &root
    description:
      - The root volume.
      - Without it the instance has none.
    type: dict
    suboptions:
      pool:
        description:
          - The storage pool of the root volume.
          - Needed for a new one.
        type: str
      size:
        description:
          - Its size, at least the image's.
          - It may grow later.
          - As large as the image unless given.
        type: str
      mode:
        description:
          - V(overlay) shares the image's blocks until they are written; V(copy) is independent of the image.
          - V(overlay) unless given, and V(copy) in pools of the types V(lvm) and V(zfs), where nothing
            else is possible.
        type: str
        choices:
          - overlay
          - copy
      bus:
        description:
          - 'What it is attached by: V(scsi) is virtio-scsi, V(sata) and V(usb) are for guests without a
            driver for virtio.'
          - A new volume on V(sata) or V(usb), and the first on V(scsi), is there at the next start.
          - A new one gets V(virtio) unless it is given.
        type: str
        choices:
          - virtio
          - scsi
          - sata
          - usb
      wwn:
        description:
          - Its World Wide Name, 16 hexadecimal digits, by which a guest can find it as well.
          - For the buses V(scsi) and V(sata).
          - An empty text is none.
          - None unless given.
        type: str
      io_thread:
        description:
          - The number of the thread, of O(pextra.cloud.pextra_vm#module:io_threads), that does its work,
            for the bus V(virtio).
          - V(0) leaves it to QEMU's main thread.
          - A new one gets V(0) unless it is given.
        type: int
      cache:
        description:
          - The cache mode.
          - V(unsafe) loses data when the node does.
          - A new one gets V(none) unless it is given.
        type: str
        choices:
          - none
          - writeback
          - writethrough
          - directsync
          - unsafe
      discard:
        description:
          - Whether blocks that the guest discards become free.
          - A new one gets V(unmap) unless it is given.
        type: str
        choices:
          - unmap
          - ignore
      io:
        description:
          - How QEMU reads and writes.
          - V(native) needs the cache modes V(none) or V(directsync).
          - As QEMU chooses unless given.
        type: str
        choices:
          - threads
          - native
          - io_uring
      detect_zeroes:
        description:
          - 'Whether zeroes that the guest writes take no space: V(on), or V(unmap) to free what had it.'
          - A new one gets V(off) unless it is given.
        type: str
        choices:
          - 'off'
          - 'on'
          - unmap
      boot_order:
        description:
          - Its turn when the firmware looks for what to boot from.
          - As soon as one has a turn, only those that have one are looked at; without any it is the disks.
        type: int
      limits:
        description:
          - Limits of its input and output.
        type: dict
        suboptions:
          iops:
            description:
              - Operations per second; V(0) for no limit.
              - A new one gets V(0) unless it is given.
            type: int
          iops_read:
            description:
              - Read operations per second; V(0) for no limit.
              - A new one gets V(0) unless it is given.
            type: int
          iops_write:
            description:
              - Write operations per second; V(0) for no limit.
              - A new one gets V(0) unless it is given.
            type: int
          bandwidth:
            description:
              - Bytes read and written per second, such as 100 MiB; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_read:
            description:
              - Bytes read per second, such as 100 MiB; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_write:
            description:
              - Bytes written per second, such as 100 MiB; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          iops_burst:
            description:
              - What C(iops) may reach for a second, after there was less; at least as much. 0 is no more
                than that.
              - A new one gets V(0) unless it is given.
            type: int
          iops_read_burst:
            description:
              - What C(iops_read) may reach for a second, after there was less; at least as much. 0 is no
                more than that.
              - A new one gets V(0) unless it is given.
            type: int
          iops_write_burst:
            description:
              - What C(iops_write) may reach for a second, after there was less; at least as much. 0 is
                no more than that.
              - A new one gets V(0) unless it is given.
            type: int
          bandwidth_burst:
            description:
              - What C(bandwidth) may reach for a second, after there was less; at least as much. 0 is no
                more than that.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_read_burst:
            description:
              - What C(bandwidth_read) may reach for a second, after there was less; at least as much. 0
                is no more than that.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_write_burst:
            description:
              - What C(bandwidth_write) may reach for a second, after there was less; at least as much.
                0 is no more than that.
              - A new one gets V(0 MiB) unless it is given.
            type: str
  volumes: &volumes
    description:
      - Further volumes, made empty, or units of iSCSI targets as they are; 24 at most, together with those
        that are attached with M(pextra.cloud.pextra_volume).
      - 'The list is all of them: one that is not in it any more is detached, and its data stays.'
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name of the device, 3 to 32 characters.
          - The guest finds it by the first 20 of them (C(/dev/disk/by-id/virtio-...)).
        type: str
        required: true
      pool:
        description:
          - The storage pool of the volume.
          - Needed for a new one.
        type: str
      size:
        description:
          - Its size.
          - It may grow later, unless the pool is of the type V(lvm) or V(zfs).
          - Needed for every volume but a unit.
        type: str
      unit:
        description:
          - A unit (LUN) of the target of a pool of the type V(iscsi), such as V(unit:0:0:1), as C(virsh
            vol-list) names it.
          - It is used with what is on it, and is never deleted.
        type: str
      filesystem:
        description:
          - The file system that cloud-init makes on it, at the next boot, if it is empty.
          - One that carries anything keeps it.
          - A new one gets V(none) unless it is given.
        type: str
        choices:
          - none
          - ext4
          - xfs
      mountpoint:
        description:
          - Where cloud-init mounts it in the guest, such as V(/srv/data), from the next boot on.
          - An empty text is nowhere.
        type: str
      bus:
        description:
          - 'What it is attached by: V(scsi) is virtio-scsi, V(sata) and V(usb) are for guests without a
            driver for virtio.'
          - A new volume on V(sata) or V(usb), and the first on V(scsi), is there at the next start.
          - A new one gets V(virtio) unless it is given.
        type: str
        choices:
          - virtio
          - scsi
          - sata
          - usb
      wwn:
        description:
          - Its World Wide Name, 16 hexadecimal digits, by which a guest can find it as well.
          - For the buses V(scsi) and V(sata).
          - An empty text is none.
          - None unless given.
        type: str
      io_thread:
        description:
          - The number of the thread, of O(pextra.cloud.pextra_vm#module:io_threads), that does its work,
            for the bus V(virtio).
          - V(0) leaves it to QEMU's main thread.
          - A new one gets V(0) unless it is given.
        type: int
      cache:
        description:
          - The cache mode.
          - V(unsafe) loses data when the node does.
          - A new one gets V(none) unless it is given.
        type: str
        choices:
          - none
          - writeback
          - writethrough
          - directsync
          - unsafe
      discard:
        description:
          - Whether blocks that the guest discards become free.
          - A new one gets V(unmap) unless it is given.
        type: str
        choices:
          - unmap
          - ignore
      io:
        description:
          - How QEMU reads and writes.
          - V(native) needs the cache modes V(none) or V(directsync).
          - As QEMU chooses unless given.
        type: str
        choices:
          - threads
          - native
          - io_uring
      detect_zeroes:
        description:
          - 'Whether zeroes that the guest writes take no space: V(on), or V(unmap) to free what had it.'
          - A new one gets V(off) unless it is given.
        type: str
        choices:
          - 'off'
          - 'on'
          - unmap
      boot_order:
        description:
          - Its turn when the firmware looks for what to boot from.
          - As soon as one has a turn, only those that have one are looked at; without any it is the disks.
        type: int
      limits:
        description:
          - Limits of its input and output.
        type: dict
        suboptions:
          iops:
            description:
              - Operations per second; V(0) for no limit.
              - A new one gets V(0) unless it is given.
            type: int
          iops_read:
            description:
              - Read operations per second; V(0) for no limit.
              - A new one gets V(0) unless it is given.
            type: int
          iops_write:
            description:
              - Write operations per second; V(0) for no limit.
              - A new one gets V(0) unless it is given.
            type: int
          bandwidth:
            description:
              - Bytes read and written per second, such as 100 MiB; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_read:
            description:
              - Bytes read per second, such as 100 MiB; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_write:
            description:
              - Bytes written per second, such as 100 MiB; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          iops_burst:
            description:
              - What C(iops) may reach for a second, after there was less; at least as much. 0 is no more
                than that.
              - A new one gets V(0) unless it is given.
            type: int
          iops_read_burst:
            description:
              - What C(iops_read) may reach for a second, after there was less; at least as much. 0 is no
                more than that.
              - A new one gets V(0) unless it is given.
            type: int
          iops_write_burst:
            description:
              - What C(iops_write) may reach for a second, after there was less; at least as much. 0 is
                no more than that.
              - A new one gets V(0) unless it is given.
            type: int
          bandwidth_burst:
            description:
              - What C(bandwidth) may reach for a second, after there was less; at least as much. 0 is no
                more than that.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_read_burst:
            description:
              - What C(bandwidth_read) may reach for a second, after there was less; at least as much. 0
                is no more than that.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_write_burst:
            description:
              - What C(bandwidth_write) may reach for a second, after there was less; at least as much.
                0 is no more than that.
              - A new one gets V(0 MiB) unless it is given.
            type: str
  cdroms: &cdroms
    description:
      - Drives for CDs and DVDs; 4 at most.
      - What is in one changes while the instance runs, a drive itself comes and goes at its next start.
      - The list is all of them.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name of the drive, 3 to 32 characters, by which it is known.
          - It is its serial number as well.
        type: str
        required: true
      image:
        description:
          - The image that is in it, of the kind V(iso), by name or identifier.
          - An empty text ejects what is in it.
        type: str
      pool:
        description:
          - The storage pool whose copy of the image is used.
          - That of the root volume unless given.
        type: str
      bus:
        description:
          - 'What it is attached by: V(sata), or V(scsi), which is virtio-scsi, for which the guest needs
            a driver.'
          - V(sata), and on aarch64, which has none, V(scsi), unless given.
        type: str
        choices:
          - sata
          - scsi
      boot_order:
        description:
          - Its turn when the firmware looks for what to boot from.
          - As soon as one has a turn, only those that have one are looked at; without any it is the disks.
        type: int
  nics: &nics
    description:
      - The NICs, in order; 32 at most.
      - 'The list is all of them: one that is not in it any more is unplugged.'
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - 'The name of the NIC, by which it is known: its MAC address and its addresses stay with it when
            others come and go. cloud-init gives the guest''s interface this name.'
          - V(nic0), V(nic1) and so on, by their order, unless given.
        type: str
      port_group:
        description:
          - The port group it attaches to.
          - Needed for a new one.
        type: str
      sr_iov:
        description:
          - A NIC of the node, by its name there, of which it is a virtual function, and not a port of the
            vSwitch.
          - It gets one that is free, with its own MAC address and the VLAN of its port group.
          - Nothing else can be said of its hardware but C(boot_order).
          - An empty text is none.
        type: str
      mac:
        description:
          - The MAC address.
          - Derived from the identifier of the instance and the name of the NIC unless given.
        type: str
      addresses:
        description:
          - The addresses that cloud-init gives it, with prefix lengths.
          - By DHCP if there are none.
        type: list
        elements: str
      gateway:
        description:
          - The default gateway.
          - An empty text is none.
        type: str
      gateway6:
        description:
          - The default gateway of IPv6, beside one of IPv4.
          - An empty text is none.
        type: str
      nameservers:
        description:
          - The name servers.
        type: list
        elements: str
      model:
        description:
          - What the guest sees.
          - V(virtio) is by far the fastest; the others are for guests without its driver.
          - A new one gets V(virtio) unless it is given.
        type: str
        choices:
          - virtio
          - e1000e
          - rtl8139
      link:
        description:
          - Whether its cable is plugged in.
          - A new one gets V(true) unless it is given.
        type: bool
      mtu:
        description:
          - The largest frame, in bytes, which the guest's driver is told.
          - That of the switch unless given.
        type: int
      queues:
        description:
          - How many queues it has, of the model V(virtio).
          - More than virtual CPUs are of no use.
          - A new one gets V(1) unless it is given.
        type: int
      boot_order:
        description:
          - Its turn when the firmware looks for what to boot from.
          - As soon as one has a turn, only those that have one are looked at; without any it is the disks.
        type: int
      limits:
        description:
          - How much it may take.
          - In is towards the guest.
        type: dict
        suboptions:
          bandwidth_in:
            description:
              - Bytes per second in, such as 10 MiB; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          burst_in:
            description:
              - How many bytes may come in at once, beyond that.
              - V(0 MiB) for libvirt's choice.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          bandwidth_out:
            description:
              - Bytes per second out; V(0 MiB) for no limit.
              - A new one gets V(0 MiB) unless it is given.
            type: str
          burst_out:
            description:
              - How many bytes may go out at once, beyond that.
              - A new one gets V(0 MiB) unless it is given.
            type: str
  cloud_init: &cloud_init
    description:
      - What cloud-init in the guest is told.
    type: dict
    suboptions:
      hostname:
        description:
          - The guest's host name.
          - An empty text is the name of the instance.
        type: str
      users:
        description:
          - The users to make in the guest.
          - The list is all of them.
        type: list
        elements: dict
        suboptions:
          name:
            description:
              - The name of the user.
            type: str
            required: true
          ssh_authorized_keys:
            description:
              - The public keys that may log in.
            type: list
            elements: str
          sudo:
            description:
              - Whether the user may become root without a password.
              - A new one gets V(false) unless it is given.
            type: bool
          hashed_password:
            description:
              - The password as a crypt hash, as C(mkpasswd) prints it.
              - No password log-in unless given.
            type: str
      user_data:
        description:
          - User data for the guest's cloud-init, passed on as it is, instead of O(cloud_init.users).
          - It begins with what it is, such as C(#cloud-config) or C(#!/bin/sh), and has 1 MiB at most.
          - C(#cloud-config) is checked by cloud-init's schema.
        type: str
      vendor_data:
        description:
          - 'Vendor data for the guest''s cloud-init: what user data can override.'
          - Written and checked as O(cloud_init.user_data) is.
          - An empty text is none.
        type: str
  autostart: &autostart
    description:
      - Whether it starts with its node.
      - A new one gets V(true) unless it is given.
    type: bool
  power: &power
    description:
      - The power state.
      - Left as it is unless given; a new instance is then started.
    type: str
    choices:
      - running
      - stopped
      - paused
  tags: &tags
    description:
      - Words to group instances by.
    type: list
    elements: str
  flavor: &flavor
    description:
      - 'The flavor of the deployment document that it is made of, as a word to group instances by: nothing
        is taken from it here.'
      - An empty text is none.
    type: str
  profiles: &profiles
    description:
      - The profiles of the deployment document that it is made of, likewise.
    type: list
    elements: str
  protected: &protected
    description:
      - 'Whether it is protected: it can neither be removed nor begin again from another image, and its
        volumes stay, whatever else a call says or consents to.'
      - A call of its own that sets V(false) ends that.
      - A new one gets V(false) unless it is given.
    type: bool
  state: &state
    description:
      - Whether it exists.
    type: str
    choices:
      - present
      - absent
    default: present
  architecture: &architecture
    description:
      - The processors that it is a machine of.
      - 'It is chosen when the instance is made: by its image, if that says one; or else by its node, if
        it names that; or else as the cluster''s nodes are, V(x86_64) where they differ.'
      - 'One that says it here itself can also be on a node that emulates it (C(pextra_architectures)),
        which is slow: nodes that are of it are taken first.'
    type: str
    choices:
      - x86_64
      - aarch64
  boot: &boot
    description:
      - How the firmware begins.
    type: dict
    suboptions:
      menu:
        description:
          - Whether it offers a menu of what to boot from.
          - A new one gets V(false) unless it is given.
        type: bool
      menu_timeout_ms:
        description:
          - How long the menu waits, in milliseconds.
          - As the firmware has it unless given.
        type: int
      reboot_timeout_ms:
        description:
          - How long the BIOS waits before it begins again, in milliseconds, where it found nothing to boot
            from.
          - It stops there unless given.
        type: int
  clock: &clock
    description:
      - The clock of the machine.
    type: dict
    suboptions:
      offset:
        description:
          - What the guest reads from it.
          - Windows expects V(localtime).
          - A new one gets V(utc) unless it is given.
        type: str
        choices:
          - utc
          - localtime
  cpu: &cpu
    description:
      - The processor as the guest sees it.
    type: dict
    suboptions:
      model:
        description:
          - 'Its model: V(host-model), which is the node''s own as far as libvirt knows it, V(host-passthrough),
            V(maximum), or one that C(virsh domcapabilities) of the node names as usable.'
          - A named one can run on, and move to, every node that has it.
          - V(host-model) on nodes with KVM, and V(Nehalem) elsewhere, unless given; of aarch64 V(host-passthrough)
            and V(maximum).
        type: str
      require:
        description:
          - Features that it has beside those of its model.
          - It goes only to nodes of which libvirt does not tell that they lack one.
        type: list
        elements: str
      disable:
        description:
          - Features of its model that it does not have.
        type: list
        elements: str
      topology:
        description:
          - How its vCPUs are laid out.
          - Their product is O(vcpus_max), or O(vcpus) if that is not given.
          - As libvirt chooses unless given.
        type: dict
        suboptions:
          sockets:
            description:
              - The number of sockets.
              - A new one gets V(1) unless it is given.
            type: int
          cores:
            description:
              - The number of cores in each socket.
              - A new one gets V(1) unless it is given.
            type: int
          threads:
            description:
              - The number of threads of each core.
              - A new one gets V(1) unless it is given.
            type: int
  description: &description
    description:
      - One line about it, for people.
    type: str
  filesystems: &filesystems
    description:
      - 'Directories of its node that it mounts by virtiofs, and may write to: the root of the guest is
        root in them.'
      - It can only be where they are declared (C(pextra_shared_directories)), and moves only while it is
        stopped.
      - Its memory is then shared with the program that serves them.
      - The list is all of them.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - What the guest mounts it by (C(mount -t virtiofs NAME /mnt)), 36 characters at most.
        type: str
        required: true
      directory:
        description:
          - The directory, as it stands in C(pextra_shared_directories) of the node.
        type: str
        required: true
  firmware: &firmware
    description:
      - 'What starts the guest: the BIOS, and on aarch64 UEFI, unless given.'
      - It is chosen when the instance is made.
      - The variables of UEFI stay with the instance, and go with its volumes.
    type: dict
    suboptions:
      type:
        description:
          - V(bios), or V(efi) for UEFI.
          - A new instance has V(bios) unless given, and on aarch64 V(efi), which is all that there is.
        type: str
        choices:
          - bios
          - efi
      secure_boot:
        description:
          - Whether UEFI starts only what is signed, by the keys that distributions and Windows are signed
            with.
          - Of x86_64 alone.
          - A new one gets V(false) unless it is given.
        type: bool
  host_devices: &host_devices
    description:
      - Devices of its node that it has to itself, each told by one key beside its name.
      - It can only be where they are, where the node does not need them itself, and where no other instance
        has them.
      - 'They come and go while it runs: PCI and mediated devices where it has a free port, USB devices
        where it was started with USB, and no device that shares an IOMMU group.'
      - Where one of them cannot, all of the change waits for its next start.
      - It moves only while it is stopped.
      - The list is all of them.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name by which it is known, 3 to 32 characters.
        type: str
        required: true
      pci:
        description:
          - The address of a PCI device of the node, such as V(0000:65:00.0).
        type: str
      usb:
        description:
          - The vendor and the product of a USB device of the node, such as V(046d:c52b).
        type: str
      mdev:
        description:
          - The UUID of a mediated device of the node, which is there and active.
        type: str
      pci_model:
        description:
          - The vendor and the product of PCI devices, such as V(10de:2204), one of which it gets that is
            free.
          - Which one that is, it keeps.
        type: str
      mdev_type:
        description:
          - The type of mediated devices, such as V(nvidia-63), one of which it gets that is there, active
            and free.
          - Which one that is, it keeps.
        type: str
      resource_pool:
        description:
          - The resource pool of its cluster (M(pextra.cloud.pextra_cluster)) of which it gets a device
            that is free.
          - Which one that is, it keeps.
        type: str
  io_threads: &io_threads
    description:
      - How many threads there are for disks, beside QEMU's main one.
      - Which disk uses which, its C(io_thread) says.
      - None unless given.
    type: int
  launch_security: &launch_security
    description:
      - Memory that its node cannot read.
      - Each start makes a key for it in its node's processor, so it does not move.
      - It needs UEFI, and memory that is locked.
      - Of x86_64 with KVM alone.
    type: dict
    suboptions:
      type:
        description:
          - V(sev) is AMD's SEV.
          - It can then only be where the node has it.
        type: str
        required: true
        choices:
          - none
          - sev
      policy:
        description:
          - 'What the processor holds its node to, as a sum by AMD''s specification of SEV: 1 no debugging,
            2 no key in common with others, 4 its registers are encrypted as well (SEV-ES), 8 no sending
            to other platforms, 16 none outside its domain, 32 none without SEV. 3 unless given.'
        type: int
  memory: &memory
    description:
      - The memory.
      - A running instance gets more at once, up to the O(memory_max) that it was started with, and gives
        it back again; both are up to its guest, which needs the driver C(virtio_mem) and has to bring the
        memory online.
      - What it does not give back waits for its next start, as does everything else.
      - Of a container it is the most that it can have, and changes at once.
      - A new one gets V(512 MiB) unless it is given.
    type: str
  memory_backing: &memory_backing
    description:
      - What its memory is made of on the node.
    type: dict
    suboptions:
      huge_pages:
        description:
          - The size of the huge pages that it is made of, such as C(2 MiB), which the node has to have
            set aside.
          - C(0 MiB) is none.
          - A new one gets V(0 MiB) unless it is given.
        type: str
      locked:
        description:
          - Whether it is never swapped out.
          - The node has to allow QEMU so much locked memory.
          - A new one gets V(false) unless it is given.
        type: bool
      unmerged:
        description:
          - Whether the node may not merge equal pages of it with those of others.
          - A new one gets V(false) unless it is given.
        type: bool
      access:
        description:
          - Whether other programs of the node, such as those of virtiofs, may share it.
          - A new one gets V(private) unless it is given.
        type: str
        choices:
          - private
          - shared
  memory_max: &memory_max
    description:
      - How much memory it can have without a restart, a multiple of 128 MiB.
      - A guest of Linux with room for more sets some 64 MiB of its memory aside at its start.
      - As much as O(memory) unless given.
    type: str
  numa: &numa
    description:
      - The NUMA cells that its virtual CPUs and its memory are divided among, numbered from 0 in this order.
      - Not together with O(memory_max).
      - An empty list is no cells.
    type: list
    elements: dict
    suboptions:
      vcpus:
        description:
          - The numbers of its virtual CPUs, from 0 on.
          - Each that there can be is in one cell.
        type: list
        elements: int
        required: true
      memory:
        description:
          - Its memory.
          - All cells have O(memory) together.
        type: str
        required: true
      node:
        description:
          - The NUMA node of its host that its memory is taken from, and from no other; the instance can
            only be where there is one of this number.
          - From any unless given.
          - Its virtual CPUs stay near by O(pinning).
        type: int
  on_crash: &on_crash
    description:
      - 'What happens when its kernel crashes, or its QEMU ends by itself: V(restart), as a new instance
        has it, or V(stop) to leave it off.'
      - Of a QEMU that ended the coordinators' job takes notice within its interval, and starts the instance
        again, three times an hour at most.
    type: str
    choices:
      - restart
      - stop
  pinning: &pinning
    description:
      - Which threads of its node it runs on.
      - It can then only be where there are threads of these numbers.
    type: dict
    suboptions:
      vcpus:
        description:
          - The threads of its virtual CPUs.
          - On any unless given.
        type: list
        elements: int
      each_vcpu:
        description:
          - The threads of virtual CPUs one by one; the others run on those of C(vcpus).
          - The list is all of them.
          - Of a running instance a pin that is added or changed takes effect at once, if its virtual CPU
            is there; one that goes stays until the next start.
        type: list
        elements: dict
        suboptions:
          vcpu:
            description:
              - The number of the virtual CPU, from 0 on.
            type: int
            required: true
          threads:
            description:
              - The threads that it runs on, one at least.
            type: list
            elements: int
            required: true
      emulator:
        description:
          - The threads of QEMU's own work, such as its disks.
          - As the virtual CPUs unless given.
        type: list
        elements: int
      io_threads:
        description:
          - The threads of its C(io_threads), each of which runs on any of these.
          - As the virtual CPUs unless given.
          - They stay so when there are more or fewer.
        type: list
        elements: int
  vcpus: &vcpus
    description:
      - The number of virtual CPUs.
      - A running instance gets more at once, up to O(vcpus_max), and its guest has to bring them online;
        fewer, or more than that, it gets at its next start.
      - A container sees all processors of its node, has the time of so many of them, and another number
        at once.
      - A new one gets V(1) unless it is given.
    type: int
  vcpus_max: &vcpus_max
    description:
      - How many virtual CPUs it can have without a restart.
      - As many as O(vcpus) unless given; more, of x86_64 alone.
    type: int
  balloon: &balloon
    description:
      - The memory balloon, by which a guest tells of its memory and gives it back.
      - A new instance has one.
    type: dict
    suboptions:
      model:
        description:
          - Its model.
          - V(none) takes it away.
          - A new one gets V(virtio) unless it is given.
        type: str
        choices:
          - virtio
          - none
      autodeflate:
        description:
          - Whether a guest that runs out of memory gets back what it gave.
          - A new one gets V(false) unless it is given.
        type: bool
      free_page_reporting:
        description:
          - Whether the guest tells which pages it does not use, so that the node can use them.
          - A new one gets V(false) unless it is given.
        type: bool
      stats_period_s:
        description:
          - How often the guest tells of its memory, in seconds.
          - Never unless given.
        type: int
  graphics: &graphics
    description:
      - A screen, which is looked at over the network.
    type: dict
    suboptions:
      type:
        description:
          - The protocol.
          - V(none) takes it away.
          - A new one gets V(vnc) unless it is given.
        type: str
        choices:
          - vnc
          - spice
          - none
      listen:
        description:
          - 'Where it listens: on the node''s own loopback address, which is looked at through C(ssh -L),
            or C(virt-viewer) with C(qemu+ssh); or on the node''s management address, over TLS alone, with
            the certificate of the node''s QEMU, and with a password, which V(spice) can.'
          - A new one gets V(loopback) unless it is given.
        type: str
        choices:
          - loopback
          - management
      password:
        description:
          - What the screen asks for, 60 characters at most, of VNC 8 at most.
          - Another one takes effect at once; the first one, and an empty one, which is none, by the next
            start.
        type: str
  panic: &panic
    description:
      - By this a guest tells that its kernel has crashed, and is then restarted.
      - A new instance has one, but for aarch64, where there is none.
    type: dict
    suboptions:
      model:
        description:
          - V(isa), which it is unless given, or V(hyperv) for Windows.
          - V(none) takes it away, and is all that aarch64 has.
        type: str
        choices:
          - isa
          - hyperv
          - none
  rng: &rng
    description:
      - A source of random numbers.
      - A new instance has one.
    type: dict
    suboptions:
      model:
        description:
          - Its model.
          - V(none) takes it away.
          - A new one gets V(virtio) unless it is given.
        type: str
        choices:
          - virtio
          - none
      source:
        description:
          - 'Where the numbers come from: a device of the node, or QEMU itself.'
          - A new one gets V(urandom) unless it is given.
        type: str
        choices:
          - urandom
          - random
          - builtin
      rate_bytes:
        description:
          - How many bytes the guest gets in a period at most.
          - Without a limit unless given.
        type: int
      rate_period_ms:
        description:
          - The period, in milliseconds.
          - A second unless given.
        type: int
  sound: &sound
    description:
      - A sound card.
      - It is heard through O(graphics) of the type V(spice) alone.
    type: dict
    suboptions:
      model:
        description:
          - Its model.
          - V(none) takes it away.
          - A new one gets V(ich9) unless it is given.
        type: str
        choices:
          - ich9
          - ich6
          - ac97
          - none
  tpm: &tpm
    description:
      - A TPM 2.0.
      - What it holds stays with the instance, moves with it while it runs, and goes with its volumes.
    type: dict
    suboptions:
      model:
        description:
          - 'Its interface: V(tpm-crb), and on aarch64 V(tpm-tis), unless given.'
          - V(none) takes it away; what it holds stays, for when it comes back.
        type: str
        choices:
          - tpm-crb
          - tpm-tis
          - none
  video: &video
    description:
      - A graphics card.
      - With O(graphics) alone it has one of libvirt's choice.
    type: dict
    suboptions:
      model:
        description:
          - Its model.
          - V(none) takes it away.
          - A new one gets V(virtio) unless it is given.
        type: str
        choices:
          - virtio
          - vga
          - bochs
          - none
  vsock: &vsock
    description:
      - A socket between the guest and its node, without a network (AF_VSOCK).
      - The node needs the kernel's module C(vhost_vsock).
    type: dict
    suboptions:
      model:
        description:
          - Its model.
          - V(none) takes it away.
          - A new one gets V(virtio) unless it is given.
        type: str
        choices:
          - virtio
          - none
      cid:
        description:
          - The guest's number, from 3 on, which no other on its node has.
          - V(0) for one that libvirt chooses at each start.
          - A new one gets V(0) unless it is given.
        type: int
  watchdog: &watchdog
    description:
      - A watchdog.
      - The guest needs its driver, and a service that feeds it.
    type: dict
    suboptions:
      model:
        description:
          - Its model.
          - V(none) takes it away.
          - A new one gets V(i6300esb) unless it is given.
        type: str
        choices:
          - i6300esb
          - none
      action:
        description:
          - What happens to a guest that no longer answers.
          - 'V(restart): the coordinators'' job resets it within its interval, three times an hour at most.'
          - 'V(reset): QEMU does at once, however often.'
          - A new one gets V(restart) unless it is given.
        type: str
        choices:
          - restart
          - reset
          - shutdown
          - poweroff
          - pause
          - none
          - inject-nmi
  vms:
    description:
      - Many instances at once, each with the same options as one. They are read in bulk, planned together
        and applied in parallel.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name of the instance, unique in the cluster.
        type: str
        required: true
      type: *type
      cluster: *cluster
      organization: *organization
      node: *node
      adopt: *adopt
      anti_affinity: *anti_affinity
      image: *image
      root: *root
      volumes: *volumes
      cdroms: *cdroms
      nics: *nics
      cloud_init: *cloud_init
      autostart: *autostart
      power: *power
      tags: *tags
      flavor: *flavor
      profiles: *profiles
      protected: *protected
      state: *state
      architecture: *architecture
      boot: *boot
      clock: *clock
      cpu: *cpu
      description: *description
      filesystems: *filesystems
      firmware: *firmware
      host_devices: *host_devices
      io_threads: *io_threads
      launch_security: *launch_security
      memory: *memory
      memory_backing: *memory_backing
      memory_max: *memory_max
      numa: *numa
      on_crash: *on_crash
      pinning: *pinning
      vcpus: *vcpus
      vcpus_max: *vcpus_max
      balloon: *balloon
      graphics: *graphics
      panic: *panic
      rng: *rng
      sound: *sound
      tpm: *tpm
      video: *video
      vsock: *vsock
      watchdog: *watchdog
  # End of the options of one resource
  allow_restart:
    description:
      - Whether a running instance may be restarted for changes that need it.
    type: bool
    default: false
  force_stop:
    description:
      - Whether a running instance may be switched off if it does not stop within O(stop_timeout_s). The guest is
        always asked first.
    type: bool
    default: false
  stop_timeout_s:
    description:
      - How long a guest that is asked to stop has for it, in seconds.
    type: int
    default: 90
    version_added: 0.1.0
  remove_volumes:
    description:
      - Whether the volumes are destroyed with O(state=absent). They are kept otherwise.
      - Needs O(confirm=DESTROY).
    type: bool
    default: false
seealso:
  - module: pextra.cloud.pextra_vm_info
  - module: pextra.cloud.pextra_image
  - module: pextra.cloud.pextra_port_group
  - module: pextra.cloud.pextra_pool
"""

EXAMPLES = r"""
- name: Run an instance, wherever there is room
  pextra.cloud.pextra_vm:
    name: web-1
    vcpus: 2
    memory: 512 MiB
    image: tiny
    root: {pool: shared, size: 1 GiB}
    nics:
      - port_group: Production
        addresses: [172.20.0.11/24]
    cloud_init:
      hostname: web-1
      users:
        - name: admin
          sudo: true
          ssh_authorized_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample admin@example.org"]
    tags: [frontend]

- name: See what a change would take, without making it
  pextra.cloud.pextra_vm:
    name: web-1
    memory: 1 GiB
  check_mode: true
  register: would

- name: Tell that a restart is needed
  ansible.builtin.debug:
    msg: "{{ would.pending | map(attribute='option') | join(', ') }} would wait for a restart"
  when: would.pending | length > 0

- name: Move it live to another node
  pextra.cloud.pextra_vm:
    name: web-1
    node: node3

- name: Have an instance on Ceph, with a unit of an iSCSI target
  pextra.cloud.pextra_vm:
    name: db
    image: tiny
    root: {pool: ceph, size: 10 GiB}
    volumes:
      - {name: data, pool: san, unit: "unit:0:0:1"}

- name: Have a database whose data cloud-init mounts, on a file system that it makes while there is nothing
  pextra.cloud.pextra_vm:
    name: db-1
    memory: 2 GiB
    image: debian-12
    root: {pool: shared, size: 10 GiB}
    volumes:
      - {name: data, pool: shared, size: 50 GiB, filesystem: ext4, mountpoint: /srv/data}
    nics:
      - {port_group: Production, addresses: [172.20.0.21/24]}
    cloud_init:
      user_data: |
        #cloud-config
        packages: [postgresql]

- name: Keep each virtual CPU on a thread of its own, and the work of QEMU on another
  pextra.cloud.pextra_vm:
    name: db-1
    pinning:
      emulator: [0]
      each_vcpu:
        - {vcpu: 0, threads: [2]}
        - {vcpu: 1, threads: [3]}

- name: Have a machine whose memory its node cannot read, on a node whose processor can do that
  pextra.cloud.pextra_vm:
    name: vault
    memory: 2 GiB
    root: {pool: local, size: 10 GiB}
    firmware: {type: efi}
    memory_backing: {locked: true}
    launch_security: {type: sev, policy: 7}

- name: Have a machine on which Windows starts, with a screen
  pextra.cloud.pextra_vm:
    name: desk
    vcpus: 2
    memory: 4 GiB
    root: {pool: shared, size: 64 GiB}
    firmware: {type: efi, secure_boot: true}
    tpm: {}
    video: {model: vga}
    graphics: {type: vnc}
    clock: {offset: localtime}
    power: stopped

- name: Have a machine of aarch64, on a node of aarch64 or on one that emulates it
  pextra.cloud.pextra_vm:
    name: builder
    architecture: aarch64
    memory: 2 GiB
    image: debian-12-arm64
    root: {pool: shared}

- name: Let its screen be looked at over the network, with TLS and a password
  pextra.cloud.pextra_vm:
    name: desk
    graphics: {type: spice, listen: management, password: "{{ vault_screen_password }}"}
    allow_restart: true

- name: Let it mount a directory that its node gives (mount -t virtiofs media /srv/media)
  pextra.cloud.pextra_vm:
    name: player
    filesystems:
      - {name: media, directory: /srv/media}
    allow_restart: true

- name: Install an instance from an ISO, an image of kind iso
  pextra.cloud.pextra_vm:
    name: desk
    cdroms:
      - {name: installer, image: debian-12-netinst, boot_order: 1}
    power: running

- name: Eject it, while the instance runs
  pextra.cloud.pextra_vm:
    name: desk
    cdroms:
      - {name: installer, image: ""}

- name: Run many, read in bulk and applied in parallel
  pextra.cloud.pextra_vm:
    vms: "{{ instances }}"
    allow_restart: true

- name: Give it a GPU of its node, whichever of that model is free, and one of a resource pool of its cluster
  pextra.cloud.pextra_vm:
    name: render-1
    host_devices:
      - name: gpu
        pci_model: "10de:2204"
      - name: card
        resource_pool: cards

- name: Let a NIC be a virtual function of the node's NIC, in the VLAN of its port group
  pextra.cloud.pextra_vm:
    name: router-1
    nics:
      - name: fast
        port_group: Production
        sr_iov: enp3s0f0

- name: Make a virtual machine that is there already an instance, as it is
  pextra.cloud.pextra_vm:
    name: old-web
    adopt: true
  register: adopted

- name: Show the element of the document that says what it is
  ansible.builtin.debug:
    msg: "{{ adopted.vm.element }}"

- name: Keep an instance from being removed, whatever a later call says
  pextra.cloud.pextra_vm:
    name: db
    protected: true

- name: Let it be removed again, by another call
  pextra.cloud.pextra_vm:
    name: db
    protected: false

- name: Remove an instance and its volumes
  pextra.cloud.pextra_vm:
    name: web-1
    state: absent
    force_stop: true
    remove_volumes: true
    confirm: DESTROY
"""

RETURN = r"""
# Values of a module that changes resources: written by tools/write_module_docs.py
actions:
  description: What was done, or in check mode would be done, in order; one line for each resource and
    node, or act.
  returned: success and partial failure
  type: list
  elements: str
  sample:
    - 'instance web-1 on node1: create volume root, define, start'
changes:
  description: What changes in it, or in check mode would, and when each of that takes effect; one element
    for each option of each resource, in the order of RV(actions). Nothing of what stays as it is.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
      sample: instance
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    node:
      description: The node it is on; none for what is registered alone.
      type: str
      sample: node1
    option:
      description: The option, with what stands in a list by its name, such as C(volumes.data.size); or
        what else differs, such as C(node), or C(name) of what is removed.
      type: str
      sample: memory
    before:
      description: What is; none for nothing. Sizes are in MiB. In place of a secret stands that there
        is one.
      type: raw
      sample: 512
    after:
      description: What should be, likewise.
      type: raw
      sample: 1024
    when:
      description: V(live) if it takes effect at once; V(hot_plug) if it is plugged into a running guest,
        or out of it, which has to play along; V(next_boot) if a guest has it from its next start on;
        V(replace) if it destroys data.
      type: str
      sample: next_boot
pending:
  description: Differences that a running instance has until its next restart, each as in RV(changes),
    and told by every run until then.
  returned: success and partial failure
  type: list
  elements: dict
  contains:
    kind:
      description: The kind of resource.
      type: str
      sample: instance
    name:
      description: The name of the resource.
      type: str
      sample: web-1
    node:
      description: The node it is on; none for what is registered alone.
      type: str
      sample: node1
    option:
      description: The option, with what stands in a list by its name, such as C(volumes.data.size); or
        what else differs, such as C(node), or C(name) of what is removed.
      type: str
      sample: memory
    before:
      description: What is; none for nothing. Sizes are in MiB. In place of a secret stands that there
        is one.
      type: raw
      sample: 512
    after:
      description: What should be, likewise.
      type: raw
      sample: 1024
    when:
      description: V(live) if it takes effect at once; V(hot_plug) if it is plugged into a running guest,
        or out of it, which has to play along; V(next_boot) if a guest has it from its next start on;
        V(replace) if it destroys data.
      type: str
      sample: next_boot
diff:
  description: What differs before and after; of many resources the first 200.
  returned: with C(--diff), when something differs
  type: list
  elements: dict
  contains:
    before_header:
      description: What it is about.
      type: str
      sample: instance web-1 on node1
    before:
      description: What is, one line for each difference.
      type: str
      sample: 'memory: 512 MiB'
    after_header:
      description: What it is about.
      type: str
      sample: instance web-1 on node1
    after:
      description: What should be, likewise.
      type: str
      sample: 'memory: 1 GiB'
errors:
  description: Every problem, one element each.
  returned: failure
  type: list
  elements: dict
  contains:
    node:
      description: The node it is about.
      type: str
      sample: node3
    resource:
      description: The resource it is about.
      type: str
      sample: pool shared
    what:
      description: What happened.
      type: str
      sample: 10.91.0.13 port 16514 does not answer within 5 s
    remedy:
      description: What to do.
      type: str
      sample: Check that the node is up and that the network lets the port through.
unknown:
  description: V(true) where a check cannot know yet what is there, and what would change; C(msg) says
    why.
  returned: in check mode, before the coordinator or what earlier tasks make is there
  type: bool
  sample: true
vm:
  description: The instance; none when it does not exist.
  returned: success and partial failure, unless many were given
  type: dict
  contains: &contains
    id:
      description: The identifier.
      type: str
      sample: inst-qthm_iLrflJ_DtSS1l4Gx
    name:
      description: The name.
      type: str
      sample: web-1
    uuid:
      description: The UUID of the libvirt domain.
      type: str
      sample: d3f0a1b2-0c4d-4e5f-8a9b-1c2d3e4f5a6e
    cluster:
      description: The cluster.
      type: str
      sample: mtl-1
    datacenter:
      description: The datacenter of the cluster.
      type: str
      sample: Montreal
    organization:
      description: The organization that owns it.
      type: str
      sample: acme
    node:
      description: The node that it is on.
      type: str
      sample: node1
    power:
      description: V(running), also if it is suspended to memory, V(stopped) or V(paused); V(undefined)
        if it is registered and on no node, V(unknown) if its node does not answer.
      type: str
      sample: running
    type:
      description: V(qemu) is a virtual machine, V(lxc) a container.
      type: str
      sample: qemu
    saved:
      description: Whether it is stopped, and goes on from what was saved of its memory when it is started.
      type: bool
      sample: false
    vcpus:
      description: The number of virtual CPUs.
      type: int
      sample: 2
    memory:
      description: The memory in MiB.
      type: int
      sample: 512
    image:
      description: The image that the root volume was made from.
      type: str
      sample: tiny
    autostart:
      description: Whether it starts with its node.
      type: bool
      sample: true
    description:
      description: One line about it.
      type: str
      sample: A web server
    created:
      description: When it was made, in UTC; none of one that was adopted, or made by a version that did
        not write it down.
      type: str
      sample: '2026-11-29T15:04:05Z'
    started:
      description: Since when its guest runs, in UTC, also where it has rebooted since; none of one that
        does not run, or that was started by libvirt with its node, or by hand.
      type: str
      sample: '2026-11-29T15:04:09Z'
    uptime_s:
      description: For how many seconds that is.
      type: int
      sample: 86400
    protected:
      description: Whether it is protected from being removed and replaced.
      type: bool
      sample: true
    tags:
      description: Its tags.
      type: list
      elements: str
      sample:
        - frontend
    flavor:
      description: The flavor of the deployment document that it is made of; none without one.
      type: str
      sample: small
    profiles:
      description: The profiles of the deployment document that it is made of.
      type: list
      elements: str
      sample:
        - base
        - web
    element:
      description: The element of V(pextra_instances) that says what it is, of one that was adopted; none
        of any other.
      type: dict
      sample:
        name: old-web
        adopt: true
        memory: 512 MiB
        vcpus: 1
    volumes:
      description: Its volumes.
      type: list
      elements: dict
      contains:
        name:
          description: The name of the device.
          type: str
          sample: root
        pool:
          description: The storage pool it is in.
          type: str
          sample: shared
        size:
          description: Its size in MiB; none for a unit of an iSCSI target, of which it is not known.
          type: int
          sample: 1024
        unit:
          description: The unit of the iSCSI target; none for any other volume.
          type: str
          sample: unit:0:0:1
        filesystem:
          description: The file system that cloud-init makes on it while it is empty; none if it makes
            none.
          type: str
          sample: ext4
        mountpoint:
          description: Where cloud-init mounts it in the guest; none if it does not.
          type: str
          sample: /srv/data
        bus:
          description: 'What it is attached by: V(scsi) is virtio-scsi, V(sata) and V(usb) are for guests
            without a driver for virtio.'
          returned: when the definition says something of it
          type: str
          sample: virtio
        wwn:
          description: Its World Wide Name, 16 hexadecimal digits, by which a guest can find it as well.
          returned: when the definition says something of it
          type: str
          sample: 5000c500a1b2c3d4
        io_thread:
          description: The number of the thread, of O(pextra.cloud.pextra_vm#module:io_threads), that
            does its work, for the bus V(virtio).
          returned: when the definition says something of it
          type: int
          sample: 0
        cache:
          description: The cache mode.
          returned: when the definition says something of it
          type: str
          sample: none
        discard:
          description: Whether blocks that the guest discards become free.
          returned: when the definition says something of it
          type: str
          sample: unmap
        io:
          description: How QEMU reads and writes.
          returned: when the definition says something of it
          type: str
          sample: threads
        detect_zeroes:
          description: 'Whether zeroes that the guest writes take no space: V(on), or V(unmap) to free
            what had it.'
          returned: when the definition says something of it
          type: str
          sample: 'off'
        boot_order:
          description: Its turn when the firmware looks for what to boot from.
          returned: when the definition says something of it
          type: int
          sample: 1
        limits:
          description: Limits of its input and output.
          returned: when the definition says something of it
          type: dict
          contains:
            iops:
              description: Operations per second; V(0) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            iops_read:
              description: Read operations per second; V(0) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            iops_write:
              description: Write operations per second; V(0) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            bandwidth:
              description: Bytes read and written per second, such as 100 MiB; V(0 MiB) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            bandwidth_read:
              description: Bytes read per second, such as 100 MiB; V(0 MiB) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            bandwidth_write:
              description: Bytes written per second, such as 100 MiB; V(0 MiB) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            iops_burst:
              description: What C(iops) may reach for a second, after there was less; at least as much.
                0 is no more than that.
              returned: when the definition says something of it
              type: int
              sample: 0
            iops_read_burst:
              description: What C(iops_read) may reach for a second, after there was less; at least as
                much. 0 is no more than that.
              returned: when the definition says something of it
              type: int
              sample: 0
            iops_write_burst:
              description: What C(iops_write) may reach for a second, after there was less; at least as
                much. 0 is no more than that.
              returned: when the definition says something of it
              type: int
              sample: 0
            bandwidth_burst:
              description: What C(bandwidth) may reach for a second, after there was less; at least as
                much. 0 is no more than that.
              returned: when the definition says something of it
              type: int
              sample: 0
            bandwidth_read_burst:
              description: What C(bandwidth_read) may reach for a second, after there was less; at least
                as much. 0 is no more than that.
              returned: when the definition says something of it
              type: int
              sample: 0
            bandwidth_write_burst:
              description: What C(bandwidth_write) may reach for a second, after there was less; at least
                as much. 0 is no more than that.
              returned: when the definition says something of it
              type: int
              sample: 0
    cdroms:
      description: Its drives for CDs and DVDs.
      type: list
      elements: dict
      contains:
        name:
          description: The name of the drive.
          type: str
          sample: installer
        image:
          description: The image that is in it; none where nothing is.
          type: str
          sample: debian-12-netinst
        pool:
          description: The storage pool whose copy of the image is used.
          type: str
          sample: shared
        bus:
          description: 'What it is attached by: V(sata), or V(scsi), which is virtio-scsi, for which the
            guest needs a driver.'
          returned: when the definition says something of it
          type: str
          sample: sata
        boot_order:
          description: Its turn when the firmware looks for what to boot from.
          returned: when the definition says something of it
          type: int
          sample: 1
    nics:
      description: Its NICs.
      type: list
      elements: dict
      contains:
        name:
          description: The name by which it is known.
          type: str
          sample: nic0
        mac:
          description: The MAC address.
          type: str
          sample: 52:1f:3a:07:9c:41
        vswitch:
          description: The vSwitch it attaches to.
          type: str
          sample: svswitch10
        port_group:
          description: The port group it attaches to.
          type: str
          sample: Production
        sr_iov:
          description: The NIC of the node whose virtual function it is; empty for a port of the vSwitch.
          type: str
          sample: enp3s0f0
        function:
          description: The PCI address of the virtual function on the node; empty for a port of the vSwitch.
          type: str
          sample: 182.0
        addresses:
          description: The addresses that cloud-init gives it, with prefix lengths.
          type: list
          elements: str
          sample:
            - 172.20.0.11/24
        model:
          description: What the guest sees.
          returned: when the definition says something of it
          type: str
          sample: virtio
        link:
          description: Whether its cable is plugged in.
          returned: when the definition says something of it
          type: bool
          sample: true
        mtu:
          description: The largest frame, in bytes, which the guest's driver is told.
          returned: when the definition says something of it
          type: int
          sample: 576
        queues:
          description: How many queues it has, of the model V(virtio).
          returned: when the definition says something of it
          type: int
          sample: 1
        boot_order:
          description: Its turn when the firmware looks for what to boot from.
          returned: when the definition says something of it
          type: int
          sample: 1
        limits:
          description: How much it may take.
          returned: when the definition says something of it
          type: dict
          contains:
            bandwidth_in:
              description: Bytes per second in, such as 10 MiB; V(0 MiB) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            burst_in:
              description: How many bytes may come in at once, beyond that.
              returned: when the definition says something of it
              type: int
              sample: 0
            bandwidth_out:
              description: Bytes per second out; V(0 MiB) for no limit.
              returned: when the definition says something of it
              type: int
              sample: 0
            burst_out:
              description: How many bytes may go out at once, beyond that.
              returned: when the definition says something of it
              type: int
              sample: 0
    architecture:
      description: The processors that it is a machine of.
      returned: when the definition says something of it
      type: str
      sample: x86_64
    boot:
      description: How the firmware begins.
      returned: when the definition says something of it
      type: dict
      contains:
        menu:
          description: Whether it offers a menu of what to boot from.
          returned: when the definition says something of it
          type: bool
          sample: false
        menu_timeout_ms:
          description: How long the menu waits, in milliseconds.
          returned: when the definition says something of it
          type: int
          sample: 0
        reboot_timeout_ms:
          description: How long the BIOS waits before it begins again, in milliseconds, where it found
            nothing to boot from.
          returned: when the definition says something of it
          type: int
          sample: 0
    clock:
      description: The clock of the machine.
      returned: when the definition says something of it
      type: dict
      contains:
        offset:
          description: What the guest reads from it.
          returned: when the definition says something of it
          type: str
          sample: utc
    cpu:
      description: The processor as the guest sees it.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: 'Its model: V(host-model), which is the node''s own as far as libvirt knows it,
            V(host-passthrough), V(maximum), or one that C(virsh domcapabilities) of the node names as
            usable.'
          returned: when the definition says something of it
          type: str
          sample: Nehalem
        require:
          description: Features that it has beside those of its model.
          returned: when the definition says something of it
          type: list
          elements: str
          sample:
            - aes
        disable:
          description: Features of its model that it does not have.
          returned: when the definition says something of it
          type: list
          elements: str
          sample:
            - aes
        topology:
          description: How its vCPUs are laid out.
          returned: when the definition says something of it
          type: dict
          contains:
            sockets:
              description: The number of sockets.
              returned: when the definition says something of it
              type: int
              sample: 1
            cores:
              description: The number of cores in each socket.
              returned: when the definition says something of it
              type: int
              sample: 1
            threads:
              description: The number of threads of each core.
              returned: when the definition says something of it
              type: int
              sample: 1
    filesystems:
      description: 'Directories of its node that it mounts by virtiofs, and may write to: the root of
        the guest is root in them.'
      returned: when the definition says something of it
      type: list
      elements: dict
      contains:
        name:
          description: What the guest mounts it by (C(mount -t virtiofs NAME /mnt)), 36 characters at
            most.
          returned: when the definition says something of it
          type: str
          sample: media
        directory:
          description: The directory, as it stands in C(pextra_shared_directories) of the node.
          returned: when the definition says something of it
          type: str
          sample: /srv/media
    firmware:
      description: 'What starts the guest: the BIOS, and on aarch64 UEFI, unless given.'
      returned: when the definition says something of it
      type: dict
      contains:
        type:
          description: V(bios), or V(efi) for UEFI.
          returned: when the definition says something of it
          type: str
          sample: bios
        secure_boot:
          description: Whether UEFI starts only what is signed, by the keys that distributions and Windows
            are signed with.
          returned: when the definition says something of it
          type: bool
          sample: false
    host_devices:
      description: Devices of its node that it has to itself, each told by one key beside its name.
      returned: when the definition says something of it
      type: list
      elements: dict
      contains:
        name:
          description: The name by which it is known, 3 to 32 characters.
          returned: when the definition says something of it
          type: str
          sample: gpu
        pci:
          description: The address of a PCI device of the node, such as V(0000:65:00.0).
          returned: when the definition says something of it
          type: str
          sample: 0000:65:00.0
        usb:
          description: The vendor and the product of a USB device of the node, such as V(046d:c52b).
          returned: when the definition says something of it
          type: str
          sample: 046d:c52b
        mdev:
          description: The UUID of a mediated device of the node, which is there and active.
          returned: when the definition says something of it
          type: str
          sample: c2177883-f1bb-47f0-914d-32a22e3a8804
        pci_model:
          description: The vendor and the product of PCI devices, such as V(10de:2204), one of which it
            gets that is free.
          returned: when the definition says something of it
          type: str
          sample: 10de:2204
        mdev_type:
          description: The type of mediated devices, such as V(nvidia-63), one of which it gets that is
            there, active and free.
          returned: when the definition says something of it
          type: str
          sample: nvidia-63
        resource_pool:
          description: The resource pool of its cluster (M(pextra.cloud.pextra_cluster)) of which it gets
            a device that is free.
          returned: when the definition says something of it
          type: str
          sample: gpus
    io_threads:
      description: How many threads there are for disks, beside QEMU's main one.
      returned: when the definition says something of it
      type: int
      sample: 0
    launch_security:
      description: Memory that its node cannot read.
      returned: when the definition says something of it
      type: dict
      contains:
        type:
          description: V(sev) is AMD's SEV.
          returned: when the definition says something of it
          type: str
          sample: none
        policy:
          description: 'What the processor holds its node to, as a sum by AMD''s specification of SEV:
            1 no debugging, 2 no key in common with others, 4 its registers are encrypted as well (SEV-ES),
            8 no sending to other platforms, 16 none outside its domain, 32 none without SEV. 3 unless
            given.'
          returned: when the definition says something of it
          type: int
          sample: 0
    memory_backing:
      description: What its memory is made of on the node.
      returned: when the definition says something of it
      type: dict
      contains:
        huge_pages:
          description: The size of the huge pages that it is made of, such as C(2 MiB), which the node
            has to have set aside.
          returned: when the definition says something of it
          type: int
          sample: 0
        locked:
          description: Whether it is never swapped out.
          returned: when the definition says something of it
          type: bool
          sample: false
        unmerged:
          description: Whether the node may not merge equal pages of it with those of others.
          returned: when the definition says something of it
          type: bool
          sample: false
        access:
          description: Whether other programs of the node, such as those of virtiofs, may share it.
          returned: when the definition says something of it
          type: str
          sample: private
    memory_max:
      description: How much memory it can have without a restart, a multiple of 128 MiB.
      returned: when the definition says something of it
      type: int
      sample: 32
    numa:
      description: The NUMA cells that its virtual CPUs and its memory are divided among, numbered from
        0 in this order.
      returned: when the definition says something of it
      type: list
      elements: dict
      contains:
        vcpus:
          description: The numbers of its virtual CPUs, from 0 on.
          returned: when the definition says something of it
          type: list
          elements: int
          sample:
            - 0
        memory:
          description: Its memory.
          returned: when the definition says something of it
          type: int
          sample: 1
        node:
          description: The NUMA node of its host that its memory is taken from, and from no other; the
            instance can only be where there is one of this number.
          returned: when the definition says something of it
          type: int
          sample: 0
    on_crash:
      description: 'What happens when its kernel crashes, or its QEMU ends by itself: V(restart), as a
        new instance has it, or V(stop) to leave it off.'
      returned: when the definition says something of it
      type: str
      sample: restart
    pinning:
      description: Which threads of its node it runs on.
      returned: when the definition says something of it
      type: dict
      contains:
        vcpus:
          description: The threads of its virtual CPUs.
          returned: when the definition says something of it
          type: list
          elements: int
          sample:
            - 0
        each_vcpu:
          description: The threads of virtual CPUs one by one; the others run on those of C(vcpus).
          returned: when the definition says something of it
          type: list
          elements: dict
          contains:
            vcpu:
              description: The number of the virtual CPU, from 0 on.
              returned: when the definition says something of it
              type: int
              sample: 0
            threads:
              description: The threads that it runs on, one at least.
              returned: when the definition says something of it
              type: list
              elements: int
              sample:
                - 0
        emulator:
          description: The threads of QEMU's own work, such as its disks.
          returned: when the definition says something of it
          type: list
          elements: int
          sample:
            - 0
        io_threads:
          description: The threads of its C(io_threads), each of which runs on any of these.
          returned: when the definition says something of it
          type: list
          elements: int
          sample:
            - 0
    vcpus_max:
      description: How many virtual CPUs it can have without a restart.
      returned: when the definition says something of it
      type: int
      sample: 1
    balloon:
      description: The memory balloon, by which a guest tells of its memory and gives it back.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: Its model.
          returned: when the definition says something of it
          type: str
          sample: virtio
        autodeflate:
          description: Whether a guest that runs out of memory gets back what it gave.
          returned: when the definition says something of it
          type: bool
          sample: false
        free_page_reporting:
          description: Whether the guest tells which pages it does not use, so that the node can use them.
          returned: when the definition says something of it
          type: bool
          sample: false
        stats_period_s:
          description: How often the guest tells of its memory, in seconds.
          returned: when the definition says something of it
          type: int
          sample: 1
    graphics:
      description: A screen, which is looked at over the network.
      returned: when the definition says something of it
      type: dict
      contains:
        type:
          description: The protocol.
          returned: when the definition says something of it
          type: str
          sample: vnc
        listen:
          description: 'Where it listens: on the node''s own loopback address, which is looked at through
            C(ssh -L), or C(virt-viewer) with C(qemu+ssh); or on the node''s management address, over
            TLS alone, with the certificate of the node''s QEMU, and with a password, which V(spice) can.'
          returned: when the definition says something of it
          type: str
          sample: loopback
    panic:
      description: By this a guest tells that its kernel has crashed, and is then restarted.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: V(isa), which it is unless given, or V(hyperv) for Windows.
          returned: when the definition says something of it
          type: str
          sample: isa
    rng:
      description: A source of random numbers.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: Its model.
          returned: when the definition says something of it
          type: str
          sample: virtio
        source:
          description: 'Where the numbers come from: a device of the node, or QEMU itself.'
          returned: when the definition says something of it
          type: str
          sample: urandom
        rate_bytes:
          description: How many bytes the guest gets in a period at most.
          returned: when the definition says something of it
          type: int
          sample: 1
        rate_period_ms:
          description: The period, in milliseconds.
          returned: when the definition says something of it
          type: int
          sample: 1
    sound:
      description: A sound card.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: Its model.
          returned: when the definition says something of it
          type: str
          sample: ich9
    tpm:
      description: A TPM 2.0.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: 'Its interface: V(tpm-crb), and on aarch64 V(tpm-tis), unless given.'
          returned: when the definition says something of it
          type: str
          sample: tpm-crb
    video:
      description: A graphics card.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: Its model.
          returned: when the definition says something of it
          type: str
          sample: virtio
    vsock:
      description: A socket between the guest and its node, without a network (AF_VSOCK).
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: Its model.
          returned: when the definition says something of it
          type: str
          sample: virtio
        cid:
          description: The guest's number, from 3 on, which no other on its node has.
          returned: when the definition says something of it
          type: int
          sample: 0
    watchdog:
      description: A watchdog.
      returned: when the definition says something of it
      type: dict
      contains:
        model:
          description: Its model.
          returned: when the definition says something of it
          type: str
          sample: i6300esb
        action:
          description: What happens to a guest that no longer answers.
          returned: when the definition says something of it
          type: str
          sample: restart
vms:
  description: The instances, in the order in which they were given.
  returned: success and partial failure, when many were given
  type: list
  elements: dict
  contains: *contains
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.spec import FIELDS
from ansible_collections.pextra.cloud.plugins.module_utils._runner import run


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource

    return VmResource


_EXTRA = {
    "allow_restart": {"type": "bool", "default": False},
    "force_stop": {"type": "bool", "default": False},
    "stop_timeout_s": {"type": "int", "default": 90},
    "remove_volumes": {"type": "bool", "default": False},
}


def main() -> None:
    run(_load, table=FIELDS, plural="vms", extra=_EXTRA)


if __name__ == "__main__":
    main()
