#!/bin/sh
# Start the host of models' processes in an engine's own image: sh host.sh SOCKET. Any POSIX shell.
here=${0%/*}
python=$(command -v python || command -v python3) || {
    echo "there is neither python nor python3 on the image's PATH"
    exit 127
}
# A user without a name has / as home, where nothing can be written, and Python's getpass fails.
if [ ! -d "$HOME" ] || [ ! -w "$HOME" ]; then export HOME=/tmp; fi
export "USER=${USER:-mlctl}"
cd "$here" && exec "$python" -m mlctl_model.host "$1"
