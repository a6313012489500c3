# Runs in mount and PID namespaces of its own, as process 1: builds the container's view of the machine and becomes its
# command. The root is a new, empty one, in which every entry of the machine's root is bound, and over that the volumes.
#   sandbox.sh ROOT HOSTNAME WORKDIR COUNT (SOURCE TARGET rw|ro)... NAME=VALUE... COMMAND ARGUMENT...
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
root=$1 host=$2 directory=$3 count=$4
shift 4

# fill FOLDER: make $root/FOLDER a new folder with the machine's entries of FOLDER bound in it.
fill() {
    mount -t tmpfs -o mode=755 tmpfs "$root$1"
    for entry in "$1"/* "$1"/.[!.]*; do
        if [ -L "$entry" ]; then cp -P "$entry" "$root$entry"
        elif [ -d "$entry" ]; then
            mkdir "$root$entry"
            [ "$entry" = /proc ] || mount --rbind "$entry" "$root$entry"
        elif [ -e "$entry" ] && [ -n "$1" ]; then : >"$root$entry"; mount --bind "$entry" "$root$entry"
        fi
    done
}

# prepare TARGET: make sure that $root/TARGET can be mounted over, without making anything on the machine.
prepare() {
    [ -e "$root$1" ] && return
    parent=${1%/*}
    prepare_parent=$parent
    if [ -n "$parent" ]; then
        [ -d "$root$parent" ] || (prepare "$parent")
        [ ! -d "$parent" ] || fill "$parent"
    fi
    mkdir "$root$1"
}

fill ""
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc"
while [ "$count" -gt 0 ]; do
    target=$(realpath -m "$2")
    if [ -d "$1" ]; then prepare "$target"; else prepare "${target%/*}"; [ -e "$root$target" ] || : >"$root$target"; fi
    mount --bind "$1" "$root$target"
    [ "$3" = rw ] || mount -o remount,bind,ro "$root$target"
    shift 3
    count=$((count - 1))
done
[ -d "$root$directory" ] || prepare "$directory"
hostname "$host" 2>/dev/null || true
exec chroot "$root" env -i -C "$directory" "$@"
