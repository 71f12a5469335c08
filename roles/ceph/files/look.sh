# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# Reads one line per thing that should be, and prints the path (or the package) of everything that is not so:
#   package   NAME
#   directory PATH
#   file      SHA256 PATH     (mode 0644, of root)
#   secret    USER PATH       (mode 0600; whatever it holds)
#   fsid      FSID CONF       prints foreign:FSID where the file belongs to another Ceph
# and store:NAME for each monitor that has a store here.
set -u
export LC_ALL=C
while read -r kind word path; do
    case $kind in
    package)
        [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$word" 2>/dev/null)" = installed ] || echo "package:$word"
        ;;
    directory)
        [ -d "$word" ] || echo "$word"
        ;;
    file)
        if [ "$(stat -c '%#a %U %G' "$path" 2>/dev/null)" != '0644 root root' ] ||
            ! echo "$word  $path" | sha256sum --check --status 2>/dev/null; then
            echo "$path"
        fi
        ;;
    secret)
        [ "$(stat -c '%#a %U' "$path" 2>/dev/null)" = "0600 $word" ] && [ -s "$path" ] || echo "$path"
        ;;
    fsid)
        there=$(sed -n 's/^[[:space:]]*fsid[[:space:]]*=[[:space:]]*\([0-9a-f-]*\)[[:space:]]*$/\1/p' "$path" 2>/dev/null)
        [ -z "$there" ] || [ "$there" = "$word" ] || echo "foreign:$there"
        ;;
    esac
done
for store in /var/lib/ceph/mon/ceph-*/store.db; do
    [ ! -d "$store" ] || { name=${store%/store.db}; echo "store:${name#/var/lib/ceph/mon/ceph-}"; }
done
