# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# make-first-keys PATH: the keys that a new Ceph begins with, whole or not at all. No key is ever an argument.
set -eu
umask 077
path=$1
[ ! -s "$path" ] || exit 0
install -d -m 0700 -o ceph -g ceph "$(dirname "$path")"
rm -f "$path.new"
ceph-authtool "$path.new" --create-keyring --gen-key --name mon. --cap mon 'allow *' >&2
ceph-authtool "$path.new" --gen-key --name client.admin \
    --cap mon 'allow *' --cap osd 'allow *' --cap mds 'allow *' --cap mgr 'allow *' >&2
ceph-authtool "$path.new" --gen-key --name client.bootstrap-osd --cap mon 'profile bootstrap-osd' --cap mgr 'allow r' >&2
chown ceph:ceph "$path.new"
sync "$path.new"
mv "$path.new" "$path"
echo made
