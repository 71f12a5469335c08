# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# verify ADDRESS PKI VIRT_TYPE IS_THOROUGH HAS_CONTAINERS: looks at a prepared node from inside, prints what is wrong, a sentence a line.
# Thorough, which is after a change: shakes hands as well. That leaves a line about a refused client in the journals.
set -u
export LC_ALL=C
address=$1 pki=$2 virt_type=$3 is_thorough=$4 has_containers=$5
failed=0

complain() {
    echo "$1"
    failed=1
}

is_listening() {
    [ -n "$(ss -Hltn "src $1")" ]
}

is_tls() {
    # Whether the server's certificate is of our CA; whether ours is let in is asked after that.
    timeout 10 openssl s_client -connect "$1" -CAfile "$pki/ca.pem" -cert "$pki/cert.pem" -key "$pki/key.pem" \
        </dev/null 2>/dev/null | grep -q 'Verify return code: 0 (ok)'
}

answers() {
    if [ "$is_thorough" = true ]; then is_tls "$1"; else is_listening "$1"; fi
}

case $address in
*:*) host="[$address]" ;;
*) host=$address ;;
esac
answers "$host:16514" || complain "libvirt does not answer over TLS on $host:16514; see journalctl -u libvirtd."
answers "$host:6640" || complain "OVSDB does not answer over TLS on $host:6640; see journalctl -u pextra-ovsdb-tls."
[ -z "$(ss -Hltn 'sport = :16509')" ] || complain "Something listens for libvirt without TLS on port 16509."
timeout 10 virsh --connect qemu:///system domcapabilities --virttype "$virt_type" >/dev/null 2>&1
case $? in
0) ;;
124) complain "libvirtd has not answered for 10 s; see systemctl status libvirtd. Restarted there, it leaves guests alone." ;;
*) complain "libvirt cannot run guests of the type $virt_type; see virsh domcapabilities --virttype $virt_type." ;;
esac
[ "$has_containers" != true ] || timeout 10 virsh --connect lxc:///system list >/dev/null 2>&1 ||
    complain "libvirt cannot run containers; see virsh --connect lxc:///system list."
ovs-vsctl --timeout=10 show >/dev/null 2>&1 ||
    complain "Open vSwitch does not answer; see journalctl -u ovsdb-server -u ovs-vswitchd."
exit $failed
