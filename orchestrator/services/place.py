"""A service's folder on the machine where it runs, and what its keeper says of it."""

import contextlib
import os
import signal
from pathlib import Path

import msgspec

from orchestrator.config import home_dir
from orchestrator.files import write_whole
from orchestrator.locks import is_held
from orchestrator.serving.settings import Settings
from orchestrator.store.parallel import as_mlctl_error

ENDED = "ended with"  # begins a problem of which no more is known
TAIL = 20_000  # bytes of the log in which its last lines are looked for


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What the keeper knows.

    Attributes:
        pid: Of the keeper.
        started: When the service's process was last started, in seconds since the epoch.
        restarts: How often it had to be started again.
        problem: How it ended the last time, if it has not run well since.
    """

    pid: int
    started: float
    restarts: int = 0
    problem: str = ""


class Place:
    """The folder of one service.

    Args:
        name: Of the service.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.folder = home_dir() / "services" / name

    @property
    def settings_path(self) -> Path:
        """The file that its process reads."""
        return self.folder / "settings.json"

    @property
    def lock_path(self) -> Path:
        """Locked while somebody keeps the service."""
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        """What the service and its keeper say: every request is a line."""
        return self.folder / "service.log"

    @property
    def models_log(self) -> Path:
        """What the models' processes say."""
        return self.folder / "models.log"

    @property
    def is_kept(self) -> bool:
        """Whether a keeper lives."""
        return is_held(self.lock_path)

    def package(self, model: str, number: int) -> Path:
        """Return the folder of a version's package."""
        return self.folder / "models" / f"{model}-v{number}"

    def settings(self) -> Settings | None:
        """Return what its process was told last."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self.settings_path.read_bytes(), type=Settings)
        return None

    def kept(self) -> Kept | None:
        """Return what the keeper knows."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode((self.folder / "kept.json").read_bytes(), type=Kept)
        return None

    def save_kept(self, kept: Kept) -> None:
        """Write what the keeper knows."""
        with contextlib.suppress(OSError):  # a full disk does not stop a service
            write_whole(self.folder / "kept.json", msgspec.json.encode(kept))

    def forget_kept(self) -> None:
        """Forget what a keeper before knew."""
        (self.folder / "kept.json").unlink(missing_ok=True)

    def save_settings(self, settings: Settings) -> None:
        """Write what its process is told. Raises MlctlError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.settings_path, msgspec.json.encode(settings), mode=0o600)
        except OSError as error:
            raise as_mlctl_error(error, f"cannot write {self.settings_path}") from error

    def token(self) -> str:
        """Return the token that lets in; empty if this machine does not know one."""
        with contextlib.suppress(OSError):
            return (self.folder / "token").read_text(encoding="ascii")
        return ""

    def save_token(self, token: str) -> None:
        """Keep a token, in the place of the one before. Raises MlctlError."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / "token", token.encode(), mode=0o600)
        except OSError as error:
            raise as_mlctl_error(error, f"cannot write {self.folder}") from error

    def last_lines(self, number: int) -> list[str]:
        """Return what the service and its keeper have said last, requests left out."""
        try:
            with self.log.open("rb") as file:
                start = max(0, self.log.stat().st_size - TAIL)
                file.seek(start)
                data = file.read()
        except OSError:
            return []
        whole = data.partition(b"\n")[2] if start else data
        lines = [
            line
            for line in whole.decode(errors="replace").splitlines()
            if line.strip() and not line.startswith('{"time"')
        ]
        return lines[-number:]

    def tell(self, number: signal.Signals) -> bool:
        """Send the keeper a signal, if it lives and is known; return whether it was sent."""
        if (kept := self.kept()) and self.is_kept:
            with contextlib.suppress(ProcessLookupError):
                os.kill(kept.pid, number)
                return True
        return False

    def kill(self) -> None:
        """Kill the keeper, if it lives, and all that it has started."""
        if (kept := self.kept()) and self.is_kept:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(kept.pid), signal.SIGKILL)
