#!/usr/bin/python
# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: pextra_vm_info
short_description: Read instances
version_added: 0.1.0
author: The pextra.cloud founders (@pextra)
description:
  - Returns the instances with their state, node, volumes and NICs.
options:
  effective:
    description:
      - Whether to tell of each instance as well what the deployment document says of it, with where each value comes
        from, in RV(vms[].effective). The whole document is read from the variables of the inventory and checked on the
        controller, as by M(pextra.cloud.pextra_deployment_validate), and a mistake in it is a failure.
      - With O(names) it is shown on the screen, too.
    type: bool
    default: false
    version_added: 0.1.0
  figures:
    description:
      - Whether to tell what running instances use as well. It asks each one's QEMU, in one call for each node, and of
        containers libvirt, in a call for each and one more for each NIC.
    type: bool
    default: false
  foreign:
    description:
      - Whether to tell of the virtual machines on the nodes that are not the cloud's as well, in RV(foreign). The disks
        that each has in storage pools are looked at.
    type: bool
    default: false
  guests:
    description:
      - Whether to ask running guests for their interfaces and addresses as well. It is their agents' own word, as in
        M(pextra.cloud.pextra_vm_guest_info), and one that does not answer costs some seconds, beside the others.
    type: bool
    default: false
extends_documentation_fragment:
  - pextra.cloud.common
  - pextra.cloud.attributes.info
seealso:
  - module: pextra.cloud.pextra_deployment_validate
  - module: pextra.cloud.pextra_vm
  - module: pextra.cloud.pextra_vm_guest_info
"""

EXAMPLES = r"""
- name: Read two instances
  pextra.cloud.pextra_vm_info:
    names: [web-1, db]
  register: instances

- name: See which instances have written most since they were started
  pextra.cloud.pextra_vm_info:
    figures: true
  register: instances

- name: Read which addresses two instances got from a DHCP server
  pextra.cloud.pextra_vm_info:
    names: [web-1, db]
    guests: true
  register: instances

- name: Tell where the values of an instance come from
  pextra.cloud.pextra_vm_info:
    names: [web-1]
    effective: true

- name: Tell what would adopt the virtual machines that are not the cloud's
  pextra.cloud.pextra_vm_info:
    foreign: true
  register: instances

- name: Write them down as elements of a deployment document
  ansible.builtin.copy:
    content: "{{ {'pextra_instances': instances.foreign | map(attribute='element') | select} | to_nice_yaml }}"
    dest: /root/adopted.yml
    mode: "0600"
"""

RETURN = r"""
foreign:
  description: The virtual machines on the nodes that are not the cloud's, by name. Empty without O(foreign=true).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name.
      type: str
      sample: old-web
    uuid:
      description: The UUID of the libvirt domain.
      type: str
      sample: 6f0c8f0e-3a0d-4b49-9d5e-0b6c2f6f3a01
    node:
      description: The node that it is on.
      type: str
      sample: node1
    cluster:
      description: The cluster of that node.
      type: str
      sample: mtl-1
    power:
      description: V(running), V(stopped) or V(paused).
      type: str
      sample: running
    element:
      description: What adopts it as it is, an element of V(pextra_instances); none where that cannot be.
      type: dict
      sample: {name: old-web, adopt: true, memory: 512 MiB, vcpus: 1}
    remarks:
      description: What of it stays as it is and is not managed, or why it cannot be adopted.
      type: list
      elements: str
      sample: [its disk sda (/srv/old.iso) lies in no storage pool of the cluster]
mistakes:
  description: Everything that is wrong with the document, as M(pextra.cloud.pextra_deployment_validate) returns it.
  returned: with O(effective=true), when the document has mistakes
  type: list
  elements: dict
  sample: []
# Values of a module that reads resources: written by tools/write_module_docs.py
vms:
  description: The instances that were found.
  returned: success
  type: list
  elements: dict
  contains:
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
    guest_interfaces:
      description: What the guest says of its interfaces; none of one that does not run, or whose agent
        does not answer. 64 at most.
      returned: with O(guests=true)
      type: list
      elements: dict
      contains:
        name:
          description: The name in the guest.
          type: str
          sample: enp1s0
        mac:
          description: The MAC address.
          type: str
          sample: 52:1f:3a:07:9c:41
        nic:
          description: The name of the instance's NIC that it is, by the MAC address; none of any other.
          type: str
          sample: front
        addresses:
          description: The addresses, with prefix lengths; 64 at most.
          type: list
          elements: str
          sample:
            - 172.20.0.11/24
    effective:
      description: Every value that the deployment document gives it, complete; none of one that is not
        in it.
      returned: with O(effective=true)
      type: list
      elements: dict
      contains:
        path:
          description: The path of the value, below the instance.
          type: str
          sample: cpu.model
        value:
          description: The value. A secret is shown as V((secret\)).
          type: raw
          sample: host-model
        source:
          description: V(default), V(instance), or the flavor or profile that it comes from.
          type: str
          sample: profile web
    figures:
      description: What it uses; none of one that does not run. Counters begin at its start.
      returned: with O(figures=true)
      type: dict
      contains:
        cpu_time_s:
          description: The processor time that it has had, in seconds.
          type: float
          sample: 12.5
        memory_given:
          description: The memory that it has, in MiB; of a container the most that it can have.
          type: int
          sample: 512
        memory_unused:
          description: What of it nothing in the guest uses, in MiB; none if the guest does not tell.
          type: int
          sample: 300
        memory_on_node:
          description: What its QEMU takes of the node's memory, in MiB; of a container what its programs
            take, and the files that the node keeps in memory for them.
          type: int
          sample: 420
        disks:
          description: Its disks; none of a container.
          type: list
          elements: dict
          contains:
            target:
              description: The name of the device.
              type: str
              sample: vda
            name:
              description: The name of the volume; none of a disk that is not the cloud's.
              type: str
              sample: root
            read_bytes:
              description: How many bytes were read.
              type: int
              sample: 1048576
            reads:
              description: How often it was read.
              type: int
              sample: 120
            written_bytes:
              description: How many bytes were written.
              type: int
              sample: 4096
            writes:
              description: How often it was written.
              type: int
              sample: 3
        nics:
          description: Its NICs.
          type: list
          elements: dict
          contains:
            device:
              description: The name of the port on the node.
              type: str
              sample: vnet3
            received_bytes:
              description: How many bytes the port has taken in, from the guest's view as libvirt counts
                it.
              type: int
              sample: 90210
            sent_bytes:
              description: How many bytes it has given out.
              type: int
              sample: 4711
            dropped:
              description: How many frames were dropped.
              type: int
              sample: 0
unreachable_nodes:
  description: The nodes that did not answer, and why, as in RV(errors).
  returned: success
  type: list
  elements: dict
  sample: []
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
# End of the values that are written
"""

from typing import Any

from ansible_collections.pextra.cloud.plugins.module_utils._runner import run_info


def _load() -> type[Any]:
    from ansible_collections.pextra.cloud.plugins.module_utils._nouns.instance.resource import VmResource

    return VmResource


def main() -> None:
    extra = {name: {"type": "bool", "default": False} for name in ("effective", "figures", "foreign", "guests")}
    run_info(_load, plural="vms", extra=extra, further=("foreign",))


if __name__ == "__main__":
    main()
