# look DIFFERING VERIFY ARGUMENT...: prints what the first script says, and if that is nothing what the second complains of.
differing=$(/bin/sh -c "$1") || exit
if [ -n "$differing" ]; then
    echo "$differing"
    exit
fi
verify=$2
shift 2
/bin/sh -c "$verify" verify "$@" | sed 's/^/complaint:/'
