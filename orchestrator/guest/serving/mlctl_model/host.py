"""Starts processes with models for a front that is in another container: one for each connection to a Unix socket.

python -m mlctl_model.host PATH

A connection begins with a line of JSON, `{"arguments": [...], "environment": {...}}`: what this Python is to run. Back
come the lines that the process writes to stdout, and when it has ended a last one: NUL and its exit code, negative for
a signal. When the connection is closed the process is killed, so that nothing outlives the front that asked for it.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

from mlctl_model import wire

BACKLOG = 64
END = b"\0"
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PATH = [HERE] + [os.path.join(os.path.dirname(HERE), guest) for guest in ("packages", "compat")]


def main(arguments):
    """Listen until the end of this container."""
    path = arguments[0]
    # Process 1 of a container ends of no signal that it does not handle. The models' processes end with it.
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    listener = wire.listen(path, 0o660, BACKLOG)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection,), daemon=True).start()


def _serve(connection):
    """Run what a connection asks for, until one of the two has ended."""
    stream = connection.makefile("rb")
    try:
        line = stream.readline()
        process = _start(json.loads(line.decode("utf-8"))) if line else None
    except (EnvironmentError, ValueError) as error:
        sys.stderr.write("cannot start a process: %s\n" % error)
        process = None
    if process is None:
        _close(connection)
        return
    threading.Thread(target=_kill_at_end, args=(stream, process), daemon=True).start()
    for line in process.stdout:
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
        _send(connection, line)
    _send(connection, END + str(process.wait()).encode("ascii") + b"\n")
    _close(connection)


def _start(asked):
    own = os.environ.get("PYTHONPATH")
    environment = dict(os.environ, **asked["environment"])
    environment["PYTHONPATH"] = os.pathsep.join(PATH + ([own] if own else []))
    return subprocess.Popen(
        [sys.executable] + asked["arguments"],
        env=environment,
        stdin=subprocess.PIPE,  # it ends when this is closed, whatever ends this process
        stdout=subprocess.PIPE,
    )


def _kill_at_end(stream, process):
    """Kill a process when nothing more can come of its connection."""
    try:
        stream.read()
    except EnvironmentError:
        pass  # a front that was killed resets it
    process.kill()


def _send(connection, data):
    try:
        connection.sendall(data)
    except EnvironmentError:
        pass  # the front has gone: its process is being killed


def _close(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)  # also ends the thread that reads
    except EnvironmentError:
        pass
    connection.close()


if __name__ == "__main__":
    main(sys.argv[1:])
