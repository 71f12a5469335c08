# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# keep-keys FIRST ADMIN OSD IS_MONITOR: puts keys where they belong, each file whole or not at all.
# Standard input is a keyring: all the first keys for the node of a monitor, the one for OSDs for any other. An empty one
# means that the first keys are on this host already.
set -eu
umask 077
first=$1 admin=$2 osd=$3 is_monitor=$4
given=$(mktemp)
trap 'rm -f "$given" "$given.one"' EXIT
cat >"$given"

# keep PATH OWNER NAME: the key of this name, alone; everything if no name is given.
keep() {
    if [ -n "$3" ]; then
        # A keyring of one entry; its key goes from one program to the other through a pipe.
        { printf '[%s]\n' "$3" && printf '\tkey = ' && ceph-authtool "$given" --name "$3" --print-key; } >"$given.one"
    else
        cat "$given" >"$given.one"
    fi
    [ -d "$(dirname "$1")" ] || install -d -m 0700 -o ceph -g ceph "$(dirname "$1")"
    install -m 0600 -o "$2" -g "$2" "$given.one" "$1.new"
    sync "$1.new"
    mv "$1.new" "$1"
}

if [ "$is_monitor" = true ]; then
    if [ -s "$given" ]; then
        keep "$first" ceph ''
    else
        cat "$first" >"$given"
    fi
    keep "$admin" root client.admin
fi
keep "$osd" ceph client.bootstrap-osd
