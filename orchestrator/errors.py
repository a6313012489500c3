"""Every error a user can cause: one class each, with its exit code and the next step.

Exit codes are part of the interface (docs/exit-codes.md). Code below the CLI raises these and
never prints; the CLI shows `message`, then `hint`, on stderr, and exits with `exit_code`.
"""

from typing import ClassVar


class MlctlError(Exception):
    """Something a user can act on.

    Args:
        message: What is wrong, naming the thing and the reason, in one sentence.
        hint: The next step, as a command or an instruction; may be empty.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(f"hint: {hint}")  # a traceback has it too


class UsageError(MlctlError):
    """The command line or a configuration value makes no sense."""

    exit_code = 2


class SpecError(UsageError):
    """A YAML document is not a valid spec; the message carries file, line and column."""


class PreflightError(MlctlError):
    """The job cannot work as asked, found out before anything was submitted."""

    exit_code = 3


class NotFoundError(MlctlError):
    """The named job, version, dataset, engine, flavor, context or object does not exist."""

    exit_code = 4


class ConflictError(MlctlError):
    """Somebody else changed or created the thing first, or it is in use."""

    exit_code = 5


class PermissionDeniedError(MlctlError):
    """The store or the file system refuses access."""

    exit_code = 6


class StoreError(MlctlError):
    """The store failed: unreachable, full, or an object is damaged."""

    exit_code = 7


class ClusterError(MlctlError):
    """The cluster cannot be reached."""

    exit_code = 8


class JobFailedError(MlctlError):
    """A job that was waited for has failed."""

    exit_code = 100


class JobNotFinishedError(MlctlError):
    """A job that should have finished is still going."""

    exit_code = 101


class JobCancelledError(MlctlError):
    """A job that was waited for was cancelled."""

    exit_code = 103
