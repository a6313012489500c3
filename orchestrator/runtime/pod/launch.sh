#!/bin/sh
# Run the training script in the engine's own image. `fetch` has put this file into the volume, beside `command`; `sync`
# reads what is left there and asks for the end of the script. Any POSIX shell; of programs cat, env, mv, sleep, and
# setsid if there is one. What launcher and sync tell each other by files:
#   packages    how the job's own packages are installed, if it brings some
#   installed   they are there, or cannot be had
#   started     its time is the script's start
#   term, kill  sync asks for the script's end
#   memory      the most memory seen so far, in bytes
#   usage       microseconds of CPU time and bytes of memory of the script's container by now
#   gpus        what nvidia-smi says of its GPUs now and then
#   exit        how the script ended
#   saved       all is in the store
#   lost        it could not be saved
here=${0%/*}
volume=${here%/*}
log=$volume/script.log
poll=0.2                       # seconds between two looks at the log and at what sync asks for
grace=${MLCTL_GRACE:-60}       # seconds from SIGTERM, when the pod is to end, to SIGKILL: sync needs the rest
cache=$volume/work/cache
not_saved=75                   # exit code of a script that ended well and whose output is lost
exec 2>>"$here/launch.log"     # nothing but the script's own bytes may get into the container's log

sleep 0.01 || poll=1           # not every sleep knows fractions
rest() { sleep $poll; }

# The script is the first process of its own group, where setsid has made one.
to_script() { kill "-$1" "-$script" || kill "-$1" "$script"; } 2> /dev/null

# What the kernel says of this container, by control groups of version 2 or 1.
anonymous_memory() {
    value=0
    if [ -r /sys/fs/cgroup/memory.stat ]; then
        read -r _ value < /sys/fs/cgroup/memory.stat
    elif [ -r /sys/fs/cgroup/memory/memory.stat ]; then
        { read -r _ _; read -r _ value; } < /sys/fs/cgroup/memory/memory.stat
    fi
    value=${value:-0}
}
cpu_time() {
    time=0
    if [ -r /sys/fs/cgroup/cpu.stat ]; then
        read -r _ time < /sys/fs/cgroup/cpu.stat
    elif [ -r /sys/fs/cgroup/cpuacct/cpuacct.usage ]; then
        read -r time < /sys/fs/cgroup/cpuacct/cpuacct.usage
        time=$((time / 1000))
    fi
}
# After an out-of-memory kill it is the limit, which memory that grows fast reaches between two looks.
most_memory() {
    for file in /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes; do
        [ -r $file ] && read -r value < $file && echo "$value" > "$here/memory"
    done
}
out_of_memory_kills() {
    kills=0
    for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
        [ -r $file ] || continue
        while read -r name value; do
            if [ "$name" = oom_kill ]; then kills=$value; fi
        done < $file
    done
}

asked=0
ask() {
    asked=$((asked + 1))
    [ -n "$script" ] && to_script TERM
    [ $asked = 1 ] && { sleep "$grace"; [ -e "$here/exit" ] || to_script KILL; } > /dev/null &
}
script=
trap ask TERM INT QUIT HUP

# The script writes into a file, so that nothing is lost when all of this container is killed. What appears there
# goes on to the container's log.
follow() {
    trap '' TERM INT QUIT HUP
    peak=0 told=
    while [ ! -e "$here/$1" ]; do
        cat <&3
        if [ -e "$here/kill" ]; then
            to_script KILL
        elif [ -e "$here/term" ] && [ -z "$told" ]; then
            told=yes
            to_script TERM
        fi
        anonymous_memory
        if [ "$value" -gt "$peak" ]; then peak=$value && echo "$peak" > "$here/memory"; fi
        cpu_time
        echo "$time $value" > "$here/usage"
        rest
    done
    cat <&3
}

# Runs a program to its end, which FILE is to tell then:  run FILE COMMAND...
# `wait` returns when a signal comes, too. Then it is called again; a shell that has forgotten the program by then says 127.
run() {
    end=$1
    shift
    $session env $defaults "$@" < /dev/null >> "$log" 2>&1 &
    script=$!
    [ $asked = 0 ] || to_script TERM
    follow "$end" &
    follower=$!
    code=
    while :; do
        seen=$asked
        wait "$script"
        last=$?
        if [ $last = 127 ] && [ -n "$code" ]; then break; fi
        code=$last
        [ $seen = $asked ] && break
    done
    kill -KILL "-$script"      # what it has left in its group writes no more
}
wait_for_log() {
    while kill -0 $follower; do wait $follower; done
}

wait_for_sync() {
    until [ -e "$here/saved" ] || [ -e "$here/lost" ]; do rest; done
}
refuse() {
    echo "missing $1" 1<> "$here/exit.part"
    mv "$here/exit.part" "$here/exit"
    wait_for_sync
    exit 127
}

python=$(command -v python || command -v python3) || refuse "there is neither python nor python3 on the image's PATH"
command -v env > /dev/null || refuse "there is no env on the image's PATH"
cd "$volume/work/user-job-dir" || refuse "the folder user-job-dir is gone"
if [ -d /cache ] && [ -w /cache ]; then cache=/cache; fi
# A user without a name has / as home, where nothing can be written, and Python's getpass fails.
if [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then export HOME=/tmp; fi
export "USER=${USER:-mlctl}"
# A shell has its background jobs ignore SIGINT; some programs know how to undo that.
defaults=--default-signal=INT,QUIT
env $defaults true || defaults=
session=$(command -v setsid)
out_of_memory_kills
kills_before=$kills
exec 3< "$log"

code=0 begun=yes
if [ -e "$here/packages" ]; then
    . "$here/packages"         # sets the positional parameters, from $python
    run installed "$@"
    : > "$here/installed"
    wait_for_log
    if [ $asked != 0 ] || [ -e "$here/term" ]; then code=143; fi
    [ $code = 0 ] || begun=no
fi
if [ $begun = yes ]; then
    . "$here/command"          # sets the positional parameters, from $python and $cache
    : > "$here/started"
    nvidia-smi --query-gpu=index,utilization.gpu,memory.used --format=csv,noheader,nounits -l 5 > "$here/gpus" &
    . "$here/beside"           # starts what several workers need beside their scripts
    run exit "$@"
fi
out_of_memory_kills
[ "$kills" = "$kills_before" ] || most_memory
{                              # this file has its room already: the disk may be full
    echo "code $code"
    echo "asked $asked"
    echo "oom $((kills - kills_before))"
    echo "begun $begun"
    times
} 1<> "$here/exit.part"
mv "$here/exit.part" "$here/exit"
wait_for_log
wait_for_sync
if [ -e "$here/lost" ] && [ $code = 0 ]; then code=$not_saved; fi
exit $code
