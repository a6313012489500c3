"""Run a service on this machine: its keeper is started, or told of new settings, until they are in force."""

import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any, NoReturn

from orchestrator.config import home_dir
from orchestrator.detached import start_detached
from orchestrator.errors import ConflictError, PreflightError
from orchestrator.locks import take
from orchestrator.services.ask import ServiceError, ask
from orchestrator.services.place import ENDED, Place
from orchestrator.serving.settings import Settings
from orchestrator.store.parallel import as_mlctl_error

WAIT = 600.0  # seconds that a service may take to load its models
END = 40.0  # seconds that it may take to end: requests under way are answered
POLL = 0.1  # seconds
SHOWN = 5  # last lines of the log


def put_in_force(place: Place, settings: Settings, before: Settings | None) -> None:
    """Have the service run with these settings.

    Args:
        place: Of the service.
        settings: The new ones.
        before: What it was told last.

    Raises:
        PreflightError: They cannot be in force; a service that runs goes on as before, another one does not begin to.
    """
    place.save_settings(settings)
    lock = take(place.lock_path)
    kept = place.kept() if lock is None else None
    if lock is None:
        place.tell(signal.SIGHUP)
    else:
        place.forget_kept()
        try:
            _await_port(settings, patience=END if before else 0.0)
            _launch(place, lock)
        finally:
            os.close(lock)
    try:
        _await(place, settings, restarts=kept.restarts if kept else 0)
    except BaseException:  # Ctrl-C as well
        if lock is not None:
            end(place)
        elif before:
            place.save_settings(before)
            place.tell(signal.SIGHUP)  # it may not have come to the new ones yet
        raise


def end(place: Place) -> None:
    """End the service, if it runs, and wait for it; one that does not come to its end is killed."""
    deadline, told = time.monotonic() + END, False
    while place.is_kept and time.monotonic() < deadline:
        told = told or place.tell(signal.SIGTERM)  # a keeper that has just begun has not said yet who it is
        time.sleep(POLL)
    place.kill()


def _launch(place: Place, lock: int) -> None:
    keeper = [sys.executable, "-m", "orchestrator.services.keeper", place.name]
    try:
        environment = os.environ | {"MLCTL_HOME": str(home_dir())}
        start_detached(keeper, folder=place.folder, environment=environment, log=place.log, inherited=lock)
    except OSError as error:
        raise as_mlctl_error(error, f"cannot start the service in {place.folder}") from error


def _await_port(settings: Settings, *, patience: float) -> None:
    """Return when the port is free: a service whose keeper was killed still answers what it was asked.

    Args:
        settings: With the port.
        patience: Seconds to wait.

    Raises:
        ConflictError: Somebody else has it.
    """
    deadline = time.monotonic() + patience
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, settings.port))
            except OSError as error:
                if time.monotonic() > deadline:
                    hint = "end what listens there, or deploy with another --port"
                    if patience:
                        hint = "end what listens there, or delete the service and deploy it anew with --port"
                    raise ConflictError(f"port {settings.port} is taken: {error.strerror}", hint=hint) from error
            else:
                return
        time.sleep(POLL)


def _await(place: Place, settings: Settings, *, restarts: int) -> None:
    """Return when the settings are in force.

    Raises:
        PreflightError: They cannot be; says why.
    """
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        try:
            answer = ask(settings.host, settings.port, "/service", token=place.token(), method="GET")
            told: dict[str, Any] = answer.document
            if told.get("revision") == settings.revision:
                return
            if told.get("refused", {}).get("revision") == settings.revision:
                _refuse(place, told["refused"]["problem"])
        except ServiceError:
            kept = place.kept()
            if (kept and kept.restarts > restarts) or not place.is_kept:
                problem = kept.problem if kept else "its keeper has died"
                _refuse(place, problem, place.last_lines(SHOWN) if problem.startswith(ENDED) else ())
        time.sleep(POLL)
    _refuse(place, f"it has not loaded its models within {WAIT:g} s", place.last_lines(SHOWN))


def _refuse(place: Place, problem: str, lines: Sequence[str] = ()) -> NoReturn:
    refs = [f"{one.model}/v{one.number}" for one in reversed(settings.models)] if (settings := place.settings()) else []
    hint = f"load it alone, to see all: mlctl model lint {refs[0] if refs else 'NAME'} --load"
    said = "\n".join([f"service {place.name.partition('@')[0]} does not answer with that: {problem}", *lines])
    raise PreflightError(said, hint=hint)
