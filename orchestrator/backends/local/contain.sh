# The first process of a script's container:  sh contain.sh LOG ENDED PYTHONPATH ARGUMENTS...
# Runs python with the arguments, its output at the end of LOG, and leaves in ENDED how that went: exit code, kills for lack
# of memory, most memory in bytes, CPU time in microseconds. Ends all when its standard input does: nobody holds it then.
# Any POSIX shell; no other program is needed.
log=$1 ended=$2 path=$3
shift 3
python=$(command -v python || command -v python3) || {
    echo "there is neither python nor python3 on the image's PATH" >&2
    exit 127
}
export PYTHONPATH="$path${PYTHONPATH:+:$PYTHONPATH}"
if [ -n "$MLCTL_PACKAGES" ]; then PATH=$PATH:$MLCTL_PACKAGES/bin:$MLCTL_PACKAGES/local/bin; fi
# A user without a name has / as home, where nothing can be written, and Python's getpass fails.
if [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then export HOME=/tmp; fi
export "USER=${USER:-mlctl}"

# What the kernel says of this container, by control groups of version 2 or 1.
first_of() {
    value=0
    for file; do
        if [ -r "$file" ]; then read -r value < "$file"; return; fi
    done
}
named() {
    wanted=$1 value=0
    shift
    for file; do
        [ -r "$file" ] || continue
        while read -r name number _; do
            if [ "$name" = "$wanted" ]; then value=$number; fi
        done < "$file"
    done
}
groups=/sys/fs/cgroup
out_of_memory_kills() { named oom_kill $groups/memory.events $groups/memory/memory.oom_control; }

# The script is the first process of its own group, where setsid has made one.
session=$(command -v setsid)
to_script() { kill "-$1" "-$script" || kill "-$1" "$script"; } 2> /dev/null
asked=0
script=
trap 'asked=$((asked + 1)); [ -z "$script" ] || to_script TERM' TERM INT HUP

out_of_memory_kills
before=$value
exec 3<&0
(while read -r _ <&3; do :; done; kill -KILL -1) &
$session "$python" "$@" < /dev/null >> "$log" 2>&1 3<&- &
script=$!
[ $asked = 0 ] || to_script TERM
code=
while :; do
    seen=$asked
    wait "$script"
    last=$?
    if [ $last = 127 ] && [ -n "$code" ]; then break; fi
    code=$last
    [ $seen = $asked ] && break
done
out_of_memory_kills
kills=$((value - before))
first_of $groups/memory.peak $groups/memory/memory.max_usage_in_bytes
peak=$value
if [ -r $groups/cpu.stat ]; then
    named usage_usec $groups/cpu.stat
else
    first_of $groups/cpuacct/cpuacct.usage
    value=$((value / 1000))
fi
echo "$code $kills $peak $value" > "$ended"
exit "$code"
