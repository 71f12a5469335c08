# Copyright: the pextra.cloud founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions as others write them, one for each thing that libvirt 9 documents of domains (formatdomain.html).

Each fragment stands in a definition that is otherwise plain, at its place. To try another one, add it to its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# As the machine is, in place of its plain `<os>`.
MACHINES = {
    "q35": '<os><type arch="x86_64" machine="pc-q35-7.2">hvm</type><boot dev="hd"/></os>',
    "i440fx": '<os><type arch="x86_64" machine="pc-i440fx-7.2">hvm</type><boot dev="hd"/><boot dev="cdrom"/></os>',
    "i686": '<os><type arch="i686" machine="pc">hvm</type><boot dev="network"/></os>',
    "microvm": '<os><type arch="x86_64" machine="microvm">hvm</type><kernel>/boot/vmlinuz</kernel></os>',
    "aarch64": '<os><type arch="aarch64" machine="virt-7.2">hvm</type><boot dev="hd"/></os>',
    "ppc64": '<os><type arch="ppc64" machine="pseries-7.2">hvm</type></os>',
    "s390x": '<os><type arch="s390x" machine="s390-ccw-virtio-7.2">hvm</type></os>',
    "riscv64": '<os><type arch="riscv64" machine="virt">hvm</type></os>',
    "kernel": '<os><type arch="x86_64">hvm</type><kernel>/boot/k</kernel><initrd>/boot/i</initrd>'
    "<cmdline>console=ttyS0 a=&quot;b&quot;</cmdline><dtb>/boot/d</dtb></os>",
    "bios": '<os><type arch="x86_64" machine="q35">hvm</type><boot dev="hd"/><bootmenu enable="yes" timeout="3000"/>'
    '<smbios mode="sysinfo"/><bios useserial="yes" rebootTimeout="0"/></os>',
    "efi": '<os firmware="efi"><type arch="x86_64" machine="q35">hvm</type><firmware><feature enabled="yes" '
    'name="enrolled-keys"/><feature enabled="yes" name="secure-boot"/></firmware><boot dev="hd"/></os>',
    "pflash": '<os><type arch="x86_64" machine="q35">hvm</type><loader readonly="yes" secure="yes" type="pflash">'
    '/usr/share/OVMF/OVMF_CODE.secboot.fd</loader><nvram template="/usr/share/OVMF/OVMF_VARS.fd">/var/lib/x.fd</nvram>'
    '<boot dev="hd"/></os>',
    "rom": '<os><type arch="x86_64" machine="q35">hvm</type>'
    '<loader type="rom">/usr/lib/xen/boot/hvmloader</loader></os>',
    "acpi table": '<os><type arch="x86_64">hvm</type><acpi><table type="slic">/srv/slic.dat</table></acpi></os>',
}
# What stands directly in the domain, but its devices and what the definition has anyway.
ASPECTS = {
    "title": "<title>An old server</title>",
    "genid": "<genid>43dc0cf8-809b-4adb-9bea-a9abb5f3d90e</genid>",
    "max memory": '<maxMemory slots="16" unit="KiB">16777216</maxMemory>',
    "memory backing": "<memoryBacking><hugepages><page size='2048' unit='KiB'/></hugepages><nosharepages/><locked/>"
    '<source type="memfd"/><access mode="shared"/><allocation mode="immediate" threads="8"/><discard/></memoryBacking>',
    "default huge pages": "<memoryBacking><hugepages/></memoryBacking>",
    "memory tuning": '<memtune><hard_limit unit="G">1</hard_limit><soft_limit unit="M">128</soft_limit>'
    '<swap_hard_limit unit="G">2</swap_hard_limit></memtune>',
    "block tuning": "<blkiotune><weight>800</weight><device><path>/dev/sda</path><weight>1000</weight>"
    "<read_bytes_sec>10000</read_bytes_sec></device></blkiotune>",
    "processor tuning": '<cputune><vcpupin vcpu="0" cpuset="1-4,^2"/><vcpupin vcpu="1" cpuset="0,1"/>'
    '<emulatorpin cpuset="1-3"/><iothreadpin iothread="1" cpuset="5,6"/><shares>2048</shares><period>1000000</period>'
    '<quota>-1</quota><vcpusched vcpus="0-1,^1" scheduler="fifo" priority="1"/></cputune>',
    "cache tuning": '<cputune><cachetune vcpus="0-1"><cache id="0" level="3" type="both" size="3" unit="MiB"/>'
    '<monitor level="3" vcpus="1"/></cachetune><memorytune vcpus="0"><node id="0" bandwidth="60"/></memorytune>'
    "</cputune>",
    "numa tuning": '<numatune><memory mode="strict" nodeset="1-4,^3"/></numatune>',
    "threads": "<iothreads>4</iothreads>",
    "thread ids": '<iothreads>2</iothreads><iothreadids><iothread id="2"/><iothread id="6" thread_pool_min="1"/>'
    "</iothreadids><defaultiothread thread_pool_min='8' thread_pool_max='16'/>",
    "resource": '<resource><partition>/virtualmachines/production</partition><fibrechannel appid="userProvidedID"/>'
    "</resource>",
    "system information": '<sysinfo type="smbios"><bios><entry name="vendor">LENOVO</entry></bios><system>'
    '<entry name="manufacturer">A &amp; B</entry></system><oemStrings><entry>myappname:some arbitrary data</entry>'
    "</oemStrings></sysinfo>",
    "firmware configuration": '<sysinfo type="fwcfg"><entry name="opt/com.example/name">value</entry></sysinfo>',
    "features": "<features><acpi/><apic eoi='on'/><pae/><privnet/><hap state='on'/><viridian/>"
    '<pmu state="off"/><vmport state="off"/><smm state="on"><tseg unit="MiB">48</tseg></smm><vmcoreinfo state="on"/>'
    '<gic version="2"/><kvm><hidden state="on"/><hint-dedicated state="on"/><poll-control state="on"/>'
    '<dirty-ring state="on" size="4096"/></kvm></features>',
    "hyper-v": '<features><acpi/><hyperv mode="custom"><relaxed state="on"/><vapic state="on"/><spinlocks state="on" '
    'retries="4096"/><vpindex state="on"/><runtime state="on"/><synic state="on"/><stimer state="on">'
    '<direct state="on"/></stimer><vendor_id state="on" value="KVM Hv"/></hyperv></features>',
    "capabilities": '<features><capabilities policy="deny"><mknod state="on"/></capabilities></features>',
    "host processor": '<cpu mode="host-passthrough" check="none" migratable="on"><cache mode="passthrough"/>'
    '<maxphysaddr mode="passthrough"/><feature name="vmx" policy="require"/></cpu>',
    "custom processor": '<cpu mode="custom" match="exact" check="partial"><model fallback="allow" '
    'vendor_id="AuthenticAMD">core2duo</model><vendor>Intel</vendor><topology sockets="1" dies="1" cores="2" '
    'threads="1"/><cache level="3" mode="emulate"/><feature policy="disable" name="lahf_lm"/></cpu>',
    "cells": '<cpu><numa><cell id="0" cpus="0" memory="524288" unit="KiB" discard="yes"><distances>'
    '<sibling id="0" value="10"/><sibling id="1" value="21"/></distances></cell><cell id="1" cpus="1" memory="524288" '
    'unit="KiB" memAccess="shared"/></numa></cpu>',
    "clock": '<clock offset="timezone" timezone="Europe/Paris"><timer name="rtc" tickpolicy="catchup" track="guest">'
    '<catchup threshold="123" slew="120" limit="10000"/></timer><timer name="pit" tickpolicy="delay"/>'
    '<timer name="hpet" present="no"/><timer name="hypervclock" present="yes"/></clock>',
    "variable clock": '<clock offset="variable" adjustment="3600" basis="localtime"/>',
    "absolute clock": '<clock offset="absolute" start="1580223600"/>',
    "events": "<on_poweroff>preserve</on_poweroff><on_reboot>destroy</on_reboot><on_crash>coredump-destroy</on_crash>"
    "<on_lockfailure>poweroff</on_lockfailure>",
    "power management": '<pm><suspend-to-disk enabled="no"/><suspend-to-mem enabled="yes"/></pm>',
    "performance": '<perf><event name="cmt" enabled="yes"/><event name="cpu_cycles" enabled="no"/></perf>',
    "labels": '<seclabel type="dynamic" model="selinux"/><seclabel type="static" model="dac" relabel="no"><label>'
    "+64055:+64055</label></seclabel>",
    "no label": '<seclabel type="none"/>',
    "key wrapping": '<keywrap><cipher name="aes" state="off"/></keywrap>',
    "launch security": '<launchSecurity type="sev" kernelHashes="yes"><policy>0x0001</policy><cbitpos>47</cbitpos>'
    "<reducedPhysBits>1</reducedPhysBits></launchSecurity>",
    "identities": '<idmap><uid start="0" target="1000" count="10"/><gid start="0" target="1000" count="10"/></idmap>',
}
# Of programs beside libvirt. `ours` of the metadata comes behind them.
METADATA = {
    "libosinfo": '<libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">'
    '<libosinfo:os id="http://debian.org/debian/12"/></libosinfo:libosinfo>',
    "nova": '<nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1"><nova:name>vm</nova:name>'
    '<nova:flavor name="m1"><nova:memory>64</nova:memory></nova:flavor></nova:instance>',
    "ovirt": '<ovirt-vm:vm xmlns:ovirt-vm="http://ovirt.org/vm/1.0"><ovirt-vm:jobs/></ovirt-vm:vm>',
    "default namespace": '<app xmlns="urn:app"><plain xmlns=""/><deep a="1"><er/></deep></app>',
    "nested namespaces": '<n0:a xmlns:n0="urn:zero" xmlns:n1="urn:one"><n1:b n0:c="1"/><n0:d/></n0:a>',
    "comments": "<!-- hands off & < > --><a:b xmlns:a='urn:a'><!-- inside --></a:b><!-- after -->",
    "cdata": '<a:script xmlns:a="urn:a"><![CDATA[if (a < b && c) { "x" }]]></a:script>',
    "instructions": '<?keep me="so"?><a:b xmlns:a="urn:a"><?inner?></a:b>',
    "prefix of ours": '<pextra:other xmlns:pextra="urn:another">not ours</pextra:other>',
    "space": '<a:text xmlns:a="urn:a" xml:space="preserve">  two  spaces\n\tand a tab  </a:text>',
    "letters": '<a:text xmlns:a="urn:a" a:ö="ü">日本語 «»</a:text>',
    "terraform": '<tf:state xmlns:tf="http://libvirt.org/terraform"><tf:json>{"a": [1, "&lt;"]}</tf:json></tf:state>',
}
# At the end of the domain.
NAMESPACES = {
    "arguments": '<qemu:commandline xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><qemu:arg value="-newarg"/>'
    '<qemu:env name="QEMU_ENV" value="VAL"/></qemu:commandline>',
    "capabilities of qemu": '<qemu:capabilities xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">'
    '<qemu:add capability="blockdev"/><qemu:del capability="drive"/></qemu:capabilities>',
    "overrides": '<qemu:override xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">'
    '<qemu:device alias="virtio-disk0">'
    '<qemu:frontend><qemu:property name="x" type="unsigned" value="8"/></qemu:frontend></qemu:device></qemu:override>',
    "deprecation": '<qemu:deprecation xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0" behavior="crash"/>',
}
_NET = '<source protocol="{}" name="{}"><host name="192.0.2.1"{}/></source><target dev="vdq" bus="virtio"/>'


def _network_disk(protocol: str, name: str = "image", more: str = "") -> str:
    return (
        f'<disk type="network" device="disk"><driver name="qemu" type="raw"/>{_NET.format(protocol, name, more)}</disk>'
    )


DISKS = {
    "cdrom": '<disk type="file" device="cdrom"><driver name="qemu" type="raw"/><source file="/srv/debian.iso"/>'
    '<target dev="sda" bus="sata"/><readonly/></disk>',
    "empty cdrom": '<disk type="file" device="cdrom"><target dev="hdc" bus="ide" tray="open"/><readonly/></disk>',
    "cdrom of ours": '<disk type="file" device="cdrom"><driver name="qemu" type="raw"/>'
    '<source file="/srv/local/a.iso"/>'
    '<target dev="sda" bus="sata"/><readonly/></disk>',
    "floppy": '<disk type="file" device="floppy"><source file="/srv/f.img"/><target dev="fda" bus="fdc"/></disk>',
    "block": '<disk type="block" device="disk"><driver name="qemu" type="raw" io="native" cache="none"/>'
    '<source dev="/dev/mapper/x"><reservations managed="yes"/></source><target dev="vdc" bus="virtio"/></disk>',
    "lun": '<disk type="block" device="lun" rawio="yes" sgio="unfiltered"><driver name="qemu" type="raw"/>'
    '<source dev="/dev/sdx"/><target dev="sdd" bus="scsi"/></disk>',
    "directory": '<disk type="dir" device="disk"><driver name="qemu" type="fat"/><source dir="/srv/fat"/>'
    '<target dev="vdd" bus="virtio"/><readonly/></disk>',
    "nvme": '<disk type="nvme" device="disk"><driver name="qemu" type="raw"/><source type="pci" managed="yes" '
    'namespace="1"><address domain="0x0000" bus="0x01" slot="0x00" function="0x0"/></source>'
    '<target dev="vde" bus="virtio"/></disk>',
    "vhost": '<disk type="vhostuser" device="disk" snapshot="no"><driver name="qemu" type="raw"/><source type="unix" '
    'path="/run/vhost-blk.sock"><reconnect enabled="yes" timeout="10"/></source>'
    '<target dev="vdf" bus="virtio"/></disk>',
    "nbd": _network_disk("nbd", "export", ' port="10809"'),
    "gluster": _network_disk("gluster", "volume/image", ' port="24007"'),
    "iscsi": _network_disk("iscsi", "iqn.2013-07.com.example:iscsi-nopool/2", ' port="3260"'),
    "http": _network_disk("http", "url_path", ' port="80"'),
    "sheepdog": _network_disk("sheepdog", "image", ' port="7000"'),
    "foreign ceph": '<disk type="network" device="disk"><driver name="qemu" type="raw"/><auth username="u"><secret '
    'type="ceph" uuid="43dc0cf8-809b-4adb-9bea-a9abb5f3d90e"/></auth><source protocol="rbd" name="other/x">'
    '<host name="198.51.100.1" port="6789"/><snapshot name="snap"/><config file="/etc/ceph.conf"/></source>'
    '<target dev="vdg" bus="virtio"/></disk>',
    "foreign volume": '<disk type="volume" device="disk"><driver name="qemu" type="raw"/><source pool="blk" '
    'volume="x" startupPolicy="optional"/><target dev="vdh" bus="virtio"/></disk>',
    "volume by name": '<disk type="volume" device="disk"><driver name="qemu" type="qcow2"/><source pool="local" '
    'volume="data.qcow2"/><target dev="vdi" bus="virtio"/><serial>MYDISK</serial></disk>',
    "second of ours": '<disk type="file" device="disk" snapshot="external"><driver name="qemu" type="qcow2" '
    'cache="writeback" '
    'error_policy="stop" rerror_policy="report" ioeventfd="on" event_idx="off" copy_on_read="on" queues="4" '
    'iothread="1"/>'
    '<source file="/srv/local/data.qcow2" startupPolicy="mandatory"><seclabel model="dac" relabel="no"/></source>'
    '<target dev="sdb" bus="scsi" rotation_rate="1"/><iotune><total_iops_sec>500</total_iops_sec>'
    "<total_iops_sec_max>900"
    "</total_iops_sec_max><group_name>g</group_name></iotune><shareable/><serial>WD-1</serial>"
    "<wwn>5000c50015ea71aa</wwn>"
    "<vendor>V</vendor><product>P</product></disk>",
    "on ide": '<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/srv/local/data.qcow2"/>'
    '<target dev="hdb" bus="ide"/><geometry cyls="16383" heads="16" secs="63" trans="lba"/></disk>',
    "on usb": '<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/srv/local/data.qcow2"/>'
    '<target dev="sdu" bus="usb" removable="on"/></disk>',
    "chain": '<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/srv/local/data.qcow2"/>'
    '<backingStore type="file"><format type="qcow2"/><source file="/srv/base.qcow2"/><backingStore/></backingStore>'
    '<target dev="vdb" bus="virtio"/><blockio logical_block_size="512" physical_block_size="4096"/></disk>',
    "encrypted": '<disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="/srv/local/data.qcow2">'
    '<encryption format="luks"><secret type="passphrase" uuid="43dc0cf8-809b-4adb-9bea-a9abb5f3d90e"/></encryption>'
    '</source><target dev="vdb" bus="virtio"/></disk>',
    "cached metadata": '<disk type="file" device="disk"><driver name="qemu" type="qcow2"><metadata_cache>'
    '<max_size unit="bytes">1234</max_size></metadata_cache></driver><source file="/srv/local/data.qcow2"/>'
    '<target dev="vdb" bus="virtio"/></disk>',
    "transient": '<disk type="file" device="disk"><driver name="qemu" type="qcow2"/><source file="/srv/x.qcow2"/>'
    '<target dev="vdb" bus="virtio"/><transient shareBacking="yes"/></disk>',
    "sliced": '<disk type="file" device="disk"><driver name="qemu" type="raw"/><source file="/srv/x.raw"><slices>'
    '<slice type="storage" offset="12345" size="123"/></slices></source><target dev="vdb" bus="virtio"/></disk>',
    "below a pool": '<disk type="file" device="disk"><driver name="qemu" type="qcow2"/>'
    '<source file="/srv/local/deep/x.qcow2"/><target dev="vdb" bus="virtio"/></disk>',
    "logical volume": '<disk type="block" device="disk"><driver name="qemu" type="raw"/><source dev="/dev/vg0/data"/>'
    '<target dev="vdb" bus="virtio"/></disk>',
    "twice": '<disk type="file" device="disk"><source file="/srv/local/data.qcow2"/><target dev="vdb" bus="virtio"/>'
    '<shareable/></disk><disk type="file" device="disk"><source file="/srv/local/data.qcow2"/>'
    '<target dev="vdc" bus="virtio"/><shareable/></disk>',
}
_MAC = '<mac address="52:54:00:00:01:01"/>'
NICS = {
    "second of ours": f'<interface type="network">{_MAC}<source network="svswitch1" portgroup="DMZ"/>'
    '<model type="e1000"/><driver name="qemu"/><link state="down"/><mtu size="1400"/><boot order="2"/></interface>',
    "rich": f'<interface type="network" trustGuestRxFilters="yes">{_MAC}<source network="svswitch2" '
    f'portgroup="Backup"/>'
    '<virtualport type="openvswitch">'
    '<parameters profileid="p" interfaceid="09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"/></virtualport><bandwidth>'
    '<inbound average="1000" peak="5000" floor="200" burst="1024"/><outbound average="128"/></bandwidth>'
    '<model type="virtio"/><driver name="vhost" txmode="iothread" ioeventfd="on" event_idx="off" queues="5" '
    'rx_queue_size="256"><host csum="off" gso="off"/><guest tso4="off"/></driver><backend tap="/dev/net/tun"/>'
    '<filterref filter="clean-traffic"><parameter name="IP" value="192.0.2.7"/></filterref><coalesce><rx>'
    '<frames max="7"/></rx></coalesce><rom bar="on" file="/srv/rom"/></interface>',
    "vlan of its own": f'<interface type="network">{_MAC}<source network="svswitch2" portgroup="Backup"/>'
    '<vlan trunk="yes"><tag id="42"/><tag id="123" nativeMode="untagged"/></vlan><model type="virtio"/></interface>',
    "default network": f'<interface type="network">{_MAC}<source network="default"/><model type="virtio"/></interface>',
    "no port group": f'<interface type="network">{_MAC}<source network="svswitch1"/><model type="virtio"/></interface>',
    "unknown port group": f'<interface type="network">{_MAC}<source network="svswitch1" portgroup="Lab"/></interface>',
    "bridge": f'<interface type="bridge">{_MAC}<source bridge="br0"/><virtualport type="openvswitch"/></interface>',
    "bridge of ours": f'<interface type="bridge">{_MAC}<source bridge="svswitch1"/><vlan><tag id="42"/></vlan>'
    '<virtualport type="openvswitch"/></interface>',
    "user": f'<interface type="user">{_MAC}<ip family="ipv4" address="172.17.2.0" prefix="24"/></interface>',
    "passt": f'<interface type="user"><backend type="passt" logFile="/var/log/passt.log"/>{_MAC}<source dev="eth0"/>'
    '<portForward proto="tcp"><range start="2022" to="22"/></portForward></interface>',
    "ethernet": f'<interface type="ethernet">{_MAC}<target dev="mytap1" managed="no"/><script path="/etc/up"/>'
    f"</interface>",
    "direct": f'<interface type="direct">{_MAC}<source dev="eth0" mode="vepa"/><virtualport type="802.1Qbg">'
    f"<parameters "
    'managerid="11" typeid="1193047" typeidversion="2" instanceid="09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f"/>'
    "</virtualport></interface>",
    "passed through": f'<interface type="hostdev" managed="yes">{_MAC}<driver name="vfio"/><source><address type="pci" '
    'domain="0x0000" bus="0x05" slot="0x10" function="0x2"/></source><teaming type="transient" persistent="ua-1"/>'
    "</interface>",
    "vhostuser": f'<interface type="vhostuser">{_MAC}<source type="unix" path="/tmp/v.sock" mode="server"/>'
    '<model type="virtio"/></interface>',
    "vdpa": f'<interface type="vdpa">{_MAC}<source dev="/dev/vhost-vdpa-0"/></interface>',
    "multicast": f'<interface type="mcast">{_MAC}<source address="230.0.0.1" port="5558"/></interface>',
    "server": f'<interface type="server">{_MAC}<source address="192.168.0.1" port="5558"/></interface>',
    "client": f'<interface type="client">{_MAC}<source address="192.168.0.1" port="5558"/></interface>',
    "udp": f'<interface type="udp">{_MAC}<source address="127.0.0.1" port="5555"><local address="127.0.0.1" '
    f'port="5556"/>'
    "</source></interface>",
    "internal": f'<interface type="internal">{_MAC}<source name="x"/></interface>',
    "same address": '<interface type="network"><mac address="52:54:00:00:01:01"/><source network="default"/>'
    "</interface>"
    '<interface type="network"><mac address="52:54:00:00:01:02"/><source network="svswitch1" portgroup="DMZ"/>'
    "</interface>",
}
DEVICES = {
    "emulator": "<emulator>/usr/bin/qemu-system-x86_64</emulator>",
    "controllers": '<controller type="scsi" index="0" model="virtio-scsi"><driver queues="8" iothread="1"/>'
    "</controller>"
    '<controller type="scsi" index="1" model="lsilogic"/><controller type="virtio-serial" index="0" ports="16"/>'
    '<controller type="sata" index="0"/><controller type="ccid" index="0"/><controller type="fdc" index="0"/>',
    "usb controllers": '<controller type="usb" index="0" model="ich9-ehci1"/><controller type="usb" index="0" '
    'model="ich9-uhci1"><master startport="0"/></controller><controller type="usb" index="1" model="qemu-xhci" '
    'ports="8"/>',
    "pci controllers": '<controller type="pci" index="0" model="pcie-root"/><controller type="pci" index="1" '
    'model="pcie-root-port"><model name="pcie-root-port"/><target chassis="1" port="0x8" hotplug="off"/></controller>'
    '<controller type="pci" index="2" model="pcie-to-pci-bridge"/><controller type="pci" index="3" '
    'model="pcie-expander-bus"><target busNr="254"/></controller>',
    "lease": '<lease><lockspace>somearea</lockspace><key>somekey</key><target path="/some/lease" '
    'offset="1024"/></lease>',
    "usb device": '<hostdev mode="subsystem" type="usb"><source startupPolicy="optional" guestReset="off">'
    '<vendor id="0x1234"/><product id="0xbeef"/></source><boot order="3"/></hostdev>',
    "pci device": '<hostdev mode="subsystem" type="pci" managed="yes"><source writeFiltering="no">'
    '<address domain="0x0000" '
    'bus="0x06" slot="0x02" function="0x0"/></source><rom bar="off"/></hostdev>',
    "scsi device": '<hostdev mode="subsystem" type="scsi" sgio="filtered" rawio="yes"><source>'
    '<adapter name="scsi_host0"/>'
    '<address bus="0" target="0" unit="0"/></source><readonly/></hostdev>',
    "scsi over iscsi": '<hostdev mode="subsystem" type="scsi"><source protocol="iscsi" '
    'name="iqn.2014-08.com.example:x/1">'
    '<host name="example.com" port="3260"/></source></hostdev>',
    "scsi host": '<hostdev mode="subsystem" type="scsi_host"><source protocol="vhost" '
    'wwpn="naa.50014057667280d8"/></hostdev>',
    "mediated device": '<hostdev mode="subsystem" type="mdev" model="vfio-pci" display="on" ramfb="on"><source>'
    "<address "
    'uuid="c2177883-f1bb-47f0-914d-32a22e3a8804"/></source></hostdev>',
    "redirected": '<redirdev bus="usb" type="tcp"><source mode="connect" host="localhost" service="4000"/></redirdev>'
    '<redirfilter><usbdev class="0x08" vendor="0x1234" product="0xbeef" version="2.56" allow="yes"/>'
    '<usbdev allow="no"/></redirfilter>',
    "smartcard": '<smartcard mode="host-certificates"><certificate>a</certificate><certificate>b</certificate>'
    "<certificate>c</certificate><database>/etc/pki/nssdb/</database></smartcard>",
    "smartcard passed through": '<smartcard mode="passthrough" type="tcp"><source mode="bind" host="127.0.0.1" '
    'service="2001"/><protocol type="raw"/></smartcard>',
    "file system": '<filesystem type="mount" accessmode="mapped" fmode="644" dmode="755"><driver type="path" '
    'wrpolicy="immediate"/><source dir="/export"/><target dir="/import"/><readonly/></filesystem>',
    "virtiofs": '<filesystem type="mount" accessmode="passthrough"><driver type="virtiofs" queue="1024"/><binary '
    'path="/usr/libexec/virtiofsd" xattr="on"><cache mode="always"/><sandbox mode="namespace"/></binary>'
    '<source dir="/path"/><target dir="mount_tag"/></filesystem>',
    "virtiofs elsewhere": '<filesystem type="mount"><driver type="virtiofs"/><source socket="/var/virtiofsd.sock"/>'
    '<target dir="tag"/></filesystem>',
    "inputs": '<input type="mouse" bus="usb"/><input type="tablet" bus="usb"><address type="usb" bus="0" port="1"/>'
    '</input><input type="keyboard" bus="virtio"/>',
    "passed-through input": '<input type="passthrough" bus="virtio"><source evdev="/dev/input/event1"/></input>'
    '<input type="evdev"><source dev="/dev/input/event2" grab="all" repeat="on" grabToggle="ctrl-ctrl"/></input>',
    "hub": '<hub type="usb"/>',
    "vnc": '<graphics type="vnc" port="5904" sharePolicy="allow-exclusive" keymap="fr"><listen type="address" '
    'address="192.0.2.4"/></graphics>',
    "vnc at a socket": '<graphics type="vnc"><listen type="socket" socket="/run/vnc.sock"/></graphics>',
    "spice": '<graphics type="spice" port="-1" tlsPort="-1" autoport="yes" defaultMode="secure"><listen type="network" '
    'network="rednet"/><channel name="main" mode="secure"/><image compression="auto_glz"/><streaming mode="filter"/>'
    '<clipboard copypaste="no"/><mouse mode="client"/><filetransfer enable="no"/><gl enable="no"/></graphics>',
    "two screens": '<graphics type="sdl" display=":0.0" fullscreen="yes"/><graphics type="egl-headless"><gl '
    'rendernode="/dev/dri/renderD128"/></graphics>',
    "dbus": '<graphics type="dbus" p2p="yes"/>',
    "qxl": '<video><model type="qxl" ram="65536" vram="65536" vgamem="16384" heads="2" primary="yes"/></video>'
    '<video><model type="qxl"/></video>',
    "cirrus": '<video><model type="cirrus" vram="16384" heads="1"/><driver name="qemu"/></video>',
    "accelerated": '<video><driver name="vhostuser"/><model type="virtio" heads="1">'
    '<acceleration accel3d="yes" '
    'rendernode="/dev/dri/renderD128"/><resolution x="1280" y="800"/></model></video>',
    "no video": '<video><model type="none"/></video>',
    "serial ports": '<serial type="pty"><target type="isa-serial" port="0"><model name="isa-serial"/></target><log '
    'file="/var/log/x.log" append="on"/></serial><serial type="file"><source path="/tmp/serial.log" append="on"/>'
    '<target port="1"/></serial>',
    "serial over a network": '<serial type="tcp"><source mode="connect" host="0.0.0.0" service="2445" tls="yes"/>'
    '<protocol type="telnet"/><target port="1"/></serial><serial type="udp"><source mode="bind" host="0.0.0.0" '
    'service="2445"/><source mode="connect" host="0.0.0.0" service="2445"/><target port="2"/></serial>',
    "serial to a socket": '<serial type="unix"><source mode="bind" path="/tmp/foo"><reconnect enabled="yes" '
    'timeout="10"/>'
    '</source><target port="1"/></serial><serial type="null"><target port="2"/></serial>',
    "parallel": '<parallel type="pty"><source path="/dev/pts/2"/><target port="0"/></parallel>',
    "consoles": '<console type="pty"><target type="serial" port="0"/></console><console type="stdio"><target '
    'type="virtio" port="1"/></console>',
    "agent": '<channel type="unix"><source mode="bind" path="/tmp/agent"/><target type="virtio" '
    'name="org.qemu.guest_agent.0" state="connected"/></channel>',
    "other channels": '<channel type="spicevmc"><target type="virtio" name="com.redhat.spice.0"/></channel>'
    '<channel type="qemu-vdagent"><source><clipboard copypaste="yes"/><mouse mode="client"/></source><target '
    'type="virtio" name="com.redhat.spice.0"/></channel><channel type="spiceport"><source '
    'channel="org.spice-space.webdav.0"/><target type="virtio" name="org.spice-space.webdav.0"/></channel>',
    "sounds": '<sound model="ich6"><codec type="micro"/></sound><sound model="usb"><audio id="1"/>'
    '</sound><audio id="1" type="alsa" timerPeriod="40"><input mixingEngine="yes" fixedSettings="yes" '
    'dev="hw:0"><settings '
    'frequency="44100" channels="2" format="s16"/></input></audio>',
    "pulse audio": '<audio id="1" type="pulseaudio" serverName="acme.example.org"><input name="fish" streamName="food" '
    'latency="100"/></audio>',
    "jack": '<audio id="1" type="jack"><output serverName="fish" clientName="food" exactName="yes"/></audio>',
    "watchdog": '<watchdog model="i6300esb" action="inject-nmi"><alias name="ua-dog"/></watchdog>',
    "isa watchdog": '<watchdog model="ib700" action="poweroff"/>',
    "balloon": '<memballoon model="virtio" autodeflate="on" freePageReporting="on"><driver iommu="on" ats="on"/>'
    '<stats period="10"/></memballoon>',
    "no balloon": '<memballoon model="none"/>',
    "random": '<rng model="virtio"><rate period="2000" bytes="1234"/>'
    '<backend model="random">/dev/random</backend></rng>'
    '<rng model="virtio"><backend model="builtin"/></rng>',
    "random of a daemon": '<rng model="virtio"><backend model="egd" type="udp"><source mode="bind" service="1234"/>'
    '<source mode="connect" host="1.2.3.4" service="1234"/></backend></rng>',
    "tpm": '<tpm model="tpm-crb"><backend type="emulator" version="2.0" persistent_state="yes"><encryption '
    'secret="6dd3e4a5-1d76-44ce-961f-f119f5aad935"/><active_pcr_banks><sha256/></active_pcr_banks></backend></tpm>',
    "tpm passed through": '<tpm model="tpm-tis"><backend type="passthrough"><device path="/dev/tpm0"/></backend></tpm>',
    "tpm elsewhere": '<tpm model="tpm-tis"><backend type="external"><source type="unix" mode="connect" '
    'path="/tmp/swtpm.sock"/></backend></tpm>',
    "nvram": '<nvram><address type="spapr-vio" reg="0x00003000"/></nvram>',
    "panics": '<panic model="hyperv"/><panic model="isa"><address type="isa" iobase="0x505"/></panic>',
    "shared memory": '<shmem name="my_shmem0" role="peer"><model type="ivshmem-plain"/><size unit="M">4</size></shmem>'
    '<shmem name="shmem_server"><model type="ivshmem-doorbell"/><size unit="M">2</size><server path="/tmp/s"/>'
    '<msi vectors="32" ioeventfd="on"/></shmem>',
    "iommu": '<iommu model="intel"><driver intremap="on" caching_mode="on" eim="on" iotlb="on" aw_bits="48"/></iommu>',
    "vsock": '<vsock model="virtio"><cid auto="no" address="3"/></vsock>',
    "persistent memory": '<memory model="virtio-pmem" access="shared"><source><path>/tmp/virtio_pmem</path></source>'
    '<target><size unit="KiB">524288</size></target></memory>',
    "aliases": '<input type="keyboard" bus="usb"><alias name="ua-keyboard"/></input>',
    "a comment": "<!-- do not touch the devices --><hub type='usb'/><!-- neither this -->",
}
UUIDS = ("43dc0cf8-809b-4adb-9bea-a9abb5f3d90c", "43dc0cf8-809b-4adb-9bea-a9abb5f3d90e")


@dataclass(frozen=True)
class Kind:
    """A definition that is plain but for one fragment."""

    table: str
    name: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.table}: {self.name}"

    @property
    def uuid(self) -> str:
        """Some fit into an identifier of 21 characters, most do not."""
        return UUIDS[len(self.text) % len(UUIDS)]


_TABLES: Mapping[str, Mapping[str, str]] = {
    "machine": MACHINES,
    "aspect": ASPECTS,
    "metadata": METADATA,
    "namespace": NAMESPACES,
    "disk": DISKS,
    "nic": NICS,
    "device": DEVICES,
}
KINDS = tuple(Kind(table, name, text) for table, texts in _TABLES.items() for name, text in texts.items())
MAC = "52:54:00:00:00:01"
_ROOM = "\n    "


def definition(
    kind: Kind, *, description: str | None = None, memory: int | None = None, iops: int | None = None
) -> str:
    """Return the definition. What is given is as an edit leaves it, else as a person wrote it."""
    has = {kind.table: kind.text}
    size = f'<memory unit="MiB">{memory}</memory>' if memory else "<memory unit='KiB'>1048576</memory>"
    current = (
        f'<currentMemory unit="MiB">{memory}</currentMemory>'
        if memory
        else "<currentMemory unit='KiB'>1048576</currentMemory>"
    )
    limit = f"<iotune><total_iops_sec>{iops}</total_iops_sec></iotune>" if iops else ""
    told = f"<description>{description}</description>" if description else ""
    return (
        "<!-- written by hand -->\n"
        '<domain type="test">'
        f"\n  <name>old-web</name>\n  <uuid>{kind.uuid}</uuid>\n"
        f"  <metadata>{has.get('metadata', '')}</metadata>\n  {size}\n  {current}\n"
        '  <vcpu placement="static">2</vcpu>\n'
        f"  {has.get('machine', MACHINES['q35'])}\n  {has.get('aspect', '')}\n"
        "  <devices>"
        f'{_ROOM}<disk type="file" device="disk">\n      <driver name="qemu" type="qcow2" discard="unmap"/>\n'
        '      <source file="/srv/local/old-web.qcow2"/>\n      <target dev="vda" bus="virtio"/>\n'
        '      <address type="pci" domain="0x0000" bus="0x04" slot="0x00" function="0x0"/>\n    '
        f"{limit}</disk>{_ROOM}{has.get('disk', '')}"
        f'{_ROOM}<interface type="network"><mac address="{MAC}"/><source network="svswitch1" portgroup="Production"/>'
        '<model type="virtio"/></interface>'
        f"{_ROOM}{has.get('nic', '')}{_ROOM}{has.get('device', '')}\n  </devices>\n"
        # What is new comes last.
        f"  {has.get('namespace', '')}\n{told}</domain>\n<!-- the end -->\n"
    )
