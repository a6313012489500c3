"""How layers below the CLI report long work without printing: they call a Reporter."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

Unit = Literal["bytes", "files", "steps"]


class Bar(Protocol):
    """One piece of long work in progress."""

    def advance(self, amount: int) -> None:
        """Add `amount` units of finished work."""


class Reporter(Protocol):
    """Receives what a user should see while something takes time."""

    def note(self, message: str) -> None:
        """Tell one finished step, one line."""

    def bar(self, label: str, *, total: int | None, unit: Unit) -> AbstractContextManager[Bar]:
        """Open a progress bar; `total` is None when the amount is unknown."""


class _Silent:
    def note(self, message: str) -> None:
        """Say nothing."""

    def bar(self, label: str, *, total: int | None, unit: Unit) -> AbstractContextManager[Bar]:
        return nullcontext(self)

    def advance(self, amount: int) -> None:
        """Count nothing."""


SILENT: Reporter = _Silent()
