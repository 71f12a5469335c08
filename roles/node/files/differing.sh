# SPDX-FileCopyrightText: the pextra.cloud founders
# SPDX-License-Identifier: GPL-3.0-or-later

# Reads one line per thing that should be, and prints the path (or the package) of everything that is not so:
#   package    NAME
#   directory  MODE OWNER GROUP PATH
#   file       MODE OWNER GROUP SHA256 PATH   (SHA256 may be -, for any content)
#   link       TARGET PATH
#   absent     PATH
#   only       DIRECTORY NAME...   (prints stale:PATH of every other file in it)
#   certificate SECONDS KEY CA PATH SUBJECT | NAME...   (names as DNS:host, IP:address)
#   revoked    CRL         (base64; prints revoked:PATH of the certificates in the lines after it that are in the list)
#   masked     UNIT
#   unit       UNIT PATH...    (prints unit:UNIT unless it runs, since later than each PATH was written, and will at boot)
#   reloads    UNIT PATH...    (as unit; that it was made to read them again counts as well)
#   registry   VERSION PATH    (prints registry:PATH unless this is a registry of this schema, in SQLite, and not empty)
# The certificate must be the key's, of this CA, valid for so many seconds more, and bear the subject and the names.
set -u
export LC_ALL=C

# Starting openssl takes longer than all else here, so it is asked for everything at once.
is_certificate() {
    cert=$1 key=$2 ca=$3 subject=$4 names=$5
    [ -s "$cert" ] && [ -s "$key" ] && [ -s "$ca" ] || return 1
    [ "$(echo "$told" | sed -n '/^-----BEGIN/,/^-----END/p')" = "$(openssl pkey -in "$key" -pubout)" ] || return 1
    openssl verify -CAfile "$ca" "$cert" >/dev/null || return 1
    echo "$told" | grep -qxF "subject=$subject" || return 1
    bears_names "$cert" $names
}

# As many names as wanted, and each of them. Where they are not the same text, openssl has to compare: it writes addresses
# in a form of its own.
bears_names() {
    cert=$1
    shift
    listed=$(echo "$told" | sed -n 's/^ *\(\(DNS\|IP Address\):.*\)/\1/p' | sed 's/, /\n/g; s/IP Address:/IP:/g')
    [ "$(echo "$listed" | sort)" != "$(printf '%s\n' "$@" | sort)" ] || return 0
    [ "$(echo "$listed" | wc -l)" = $# ] || return 1
    for name; do
        case $name in
        DNS:*) set -- -checkhost "${name#DNS:}" ;;
        IP:*) set -- -checkip "${name#IP:}" ;;
        esac
        openssl x509 -in "$cert" -noout "$@" | grep -q 'does match' || return 1
    done
}

# Whoever made the list may have another clock: only whether the certificate is in it counts.
is_revoked() {
    [ -n "$revocations" ] &&
        openssl verify -no_check_time -crl_check -CAfile "$2" -CRLfile "$revocations" "$1" 2>&1 |
        grep -q 'certificate revoked'
}

# All units are asked for at once.
look_at_units() {
    [ -n "$units" ] || return 0
    states=$(systemctl show --timestamp=us+utc \
        --property=Id,LoadState,ActiveState,UnitFileState,NeedDaemonReload,ActiveEnterTimestamp,FragmentPath,DropInPaths -- \
        $(echo "$units" | cut -d ' ' -f 2 | sort -u)) || states=
    echo "$units" | while read -r kind name paths; do
        is_unit "$kind" "$name" $paths || echo "unit:$name"
    done | sort -u
}

property() {
    echo "$state" | sed -n "s/^$1=//p"
}

is_unit() {
    kind=$1 name=$2
    shift 2
    state=$(echo "$states" | awk -v RS= -v id="Id=$name" 'index("\n" $0 "\n", "\n" id "\n")')
    if [ "$kind" = masked ]; then
        [ "$(property LoadState)" = masked ]
        return
    fi
    case $(property UnitFileState) in
    enabled | static | indirect | generated | alias | transient | enabled-runtime) ;;
    *) return 1 ;;
    esac
    [ "$(property ActiveState) $(property NeedDaemonReload)" = 'active no' ] || return 1
    # What the unit itself is made of counts as well.
    [ "$kind" = reloads ] || set -- "$@" $(property FragmentPath) $(property DropInPaths)
    since=$(date --date "$(property ActiveEnterTimestamp)" +%s%6N)
    if [ "$kind" = reloads ] && again=$(written "/run/pextra/reloaded/$name") && [ "$again" -gt "$since" ]; then
        since=$again
    fi
    for path; do
        # One that is not there is told of by itself, if it should be.
        [ ! -e "$path" ] || [ "$(written "$path")" -le "$since" ] || return 1
    done
}

# Microseconds. What a link points to is what the service reads.
written() {
    stat --dereference --format %.6Y "$1" 2>/dev/null | tr -d .
}

is_registry() {
    [ -s "$2" ] && python3 - "$@" <<-'END'
		import sqlite3, sys
		database = sqlite3.connect(f"file:{sys.argv[2]}?mode=ro", uri=True, timeout=5)
		version = database.execute("select value from pextra_meta where key = 'schema_version'").fetchone()
		is_filled = database.execute("select 1 from pextra_resource limit 1").fetchone()
		sys.exit(0 if version == (sys.argv[1],) and is_filled else 1)
	END
}

# All packages are asked for at once.
look_at_packages() {
    [ -n "$packages" ] || return 0
    installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' $packages 2>/dev/null)
    for name in $packages; do
        echo "$installed" | grep -qxF "$name installed" || echo "package:$name"
    done
}

packages=
revocations=
units=
while read -r kind rest; do
    case $kind in
    package)
        packages="$packages $rest"
        ;;
    directory)
        path=${rest##* }
        [ "$(stat -c '%#a %U %G %n' "$path" 2>/dev/null)" = "$rest" ] || echo "$path"
        ;;
    file)
        read -r mode owner group sum path <<-END
		$rest
		END
        if [ "$(stat -c '%#a %U %G' "$path" 2>/dev/null)" != "$mode $owner $group" ]; then
            echo "$path"
        elif [ "$sum" != - ] && ! echo "$sum  $path" | sha256sum --check --status 2>/dev/null; then
            echo "$path"
        fi
        ;;
    link)
        read -r target path <<-END
		$rest
		END
        [ "$(readlink "$path" 2>/dev/null)" = "$target" ] || echo "$path"
        ;;
    absent)
        [ ! -e "$rest" ] || echo "$rest"
        ;;
    only)
        for path in "${rest%% *}"/*; do
            [ -f "$path" ] || continue
            case " ${rest#* } " in
            *" ${path##*/} "*) ;;
            *) echo "stale:$path" ;;
            esac
        done
        ;;
    certificate)
        read -r seconds key ca path words <<-END
		$rest
		END
        told=$(openssl x509 -in "$path" -noout -pubkey -subject -nameopt RFC2253 -ext subjectAltName \
            -checkend "$seconds" 2>/dev/null)
        if ! is_certificate "$path" "$key" "$ca" "${words%% | *}" "${words#* | }" 2>/dev/null; then
            echo "$path"
        elif ! echo "$told" | grep -q 'will not expire'; then
            echo "$path"
            echo "expires:$path"
        elif is_revoked "$path" "$ca"; then
            echo "$path"
            echo "revoked:$path"
        fi
        ;;
    revoked)
        revocations=$(mktemp)
        trap 'rm -f "$revocations"' EXIT
        echo "$rest" | base64 --decode >"$revocations"
        ;;
    masked | unit | reloads)
        units="$units${units:+
}$kind $rest"
        ;;
    registry)
        is_registry $rest 2>/dev/null || echo "registry:${rest#* }"
        ;;
    esac
done
look_at_packages
look_at_units
