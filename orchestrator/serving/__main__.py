"""Be a service: `python -m orchestrator.serving SETTINGS` answers until SIGTERM, and reads it anew on SIGHUP."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvicorn
import uvloop

from orchestrator.serving.app import DRAIN, make_app
from orchestrator.serving.connection import connection_class
from orchestrator.serving.front import Front
from orchestrator.serving.process import UnavailableError
from orchestrator.serving.scratch import scratch_folder
from orchestrator.serving.service import Service
from orchestrator.serving.settings import FAILED, WITH_PARENT, Settings, read_settings

LOG = logging.getLogger("mlctl")
IDLE = 10  # seconds that a client may take between requests
BACKLOG = 2048  # connections that wait to be accepted
FILES = (
    1 << 16
)  # that it may open, where it may ask for so many; models' processes inherit it, and old ones count so far
RESERVE = 200  # files for all but connections over HTTP: models, logs, gRPC, who is turned away


def main(arguments: list[str]) -> int:
    """Serve until told to end; return the exit code."""
    path = Path(arguments[0])
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)  # nobody needs to know what uvicorn waits for
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")  # or it complains of every process that is started
    settings = read_settings(path)
    if WITH_PARENT in arguments:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    with scratch_folder(path) as scratch:
        service = Service(settings, scratch, path.with_name("models.log"))
        config = uvicorn.Config(
            make_app(Front(service)),
            host=settings.host,
            port=settings.port,
            http=connection_class(settings.head_timeout, _connections(settings)),
            log_config=None,
            access_log=False,
            timeout_keep_alive=IDLE,
            timeout_graceful_shutdown=DRAIN,
            backlog=BACKLOG,
            server_header=False,
            proxy_headers=False,
        )
        server = _Server(config)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_serve(server, service, path))
        finally:
            if not service.pools:  # the last word, which is what the status of a pod has of it
                LOG.error("%s", service.refused[1])
    return 0 if server.started else FAILED


def _connections(settings: Settings) -> int:
    """Return how many connections there may be at once, once this process may open as many files as it can get."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = max(soft, FILES if hard == resource.RLIM_INFINITY else min(hard, FILES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    room = max(1, files - RESERVE)
    if room < settings.connections:
        LOG.warning("%d connections at once instead of %d: ulimit -n is %d", room, settings.connections, files)
    return min(room, settings.connections)


def _end_with_parent() -> None:
    """End in order when the process that started this one is gone, which closes the pipe."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


class _Server(uvicorn.Server):
    """Ends as it is told to, and not of the signal that told it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


async def _serve(server: uvicorn.Server, service: Service, path: Path) -> None:
    changes: set[asyncio.Task[None]] = set()

    def on_change() -> None:
        task = asyncio.ensure_future(_change(service, path))
        changes.add(task)
        task.add_done_callback(changes.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_change)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # who started it may have held one back
    await server.serve()


async def _change(service: Service, path: Path) -> None:
    """Do what the settings say now; what cannot be done is told, and all stays as it was."""
    try:
        settings = read_settings(path)
        await service.change(settings)
    except (OSError, msgspec.DecodeError, UnavailableError) as error:
        LOG.error("the new settings are not in force: %s", error)
        return
    LOG.info("in force: %s", ", ".join(f"{one.ref}={one.weight}" for one in settings.models))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
