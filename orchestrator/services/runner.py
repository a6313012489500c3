"""The seam between what a service should be, and where it runs: this machine, or a cluster."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from orchestrator.services.ask import Answer, Request
from orchestrator.services.record import ServiceRecord
from orchestrator.services.state import ServiceView

Asker = Callable[[Request], Answer]
Form = Literal["objects", "kserve"]


class Runner(Protocol):
    """Runs services."""

    @property
    def machine(self) -> str:
        """What the records of services that run here name."""

    def changing(self, name: str) -> AbstractContextManager[None]:
        """Keep others from changing a service at the same time, as far as they are to be waited for."""

    def new(self, name: str, port: int, shape: dict[str, object]) -> ServiceRecord:
        """Return the record of a service that does not run yet; what is left of one of that name goes.

        Args:
            name: Of it.
            port: Where it is to listen; 0 is any.
            shape: Fields of its shape, None where nothing is said.

        Raises:
            UsageError: It cannot be made like that here.
        """

    def reshaped(self, record: ServiceRecord, shape: dict[str, object]) -> ServiceRecord:
        """Return the record with another shape. Raises UsageError."""

    def put(self, record: ServiceRecord, before: ServiceRecord) -> None:
        """Have a service run as its record says, and return when it does.

        Args:
            record: As it is to be.
            before: As it was.

        Raises:
            PreflightError: It cannot; what was in force before still is.
        """

    def end(self, record: ServiceRecord) -> None:
        """End a service, when it has answered what it was asked."""

    def forget(self, record: ServiceRecord) -> None:
        """Remove all that is left of a service, once it has ended."""

    def look(self, record: ServiceRecord) -> ServiceView:
        """Return a service as it is now."""

    def asker(self, record: ServiceRecord, token: str) -> Asker:
        """Return what asks a service with a token; it raises ServiceError."""

    def token(self, name: str) -> str:
        """Return the token that is known here, or nothing."""

    def save_token(self, name: str, token: str) -> None:
        """Keep a token."""

    def logs(self, record: ServiceRecord, *, models: bool, follow: bool) -> Generator[bytes]:
        """Yield what a service says, or the models' own code.

        Raises:
            NotFoundError: There is nothing to read here.
        """

    def manifests(self, record: ServiceRecord, token: str, form: Form) -> list[dict[str, Any]]:
        """Return the objects that a cluster would get. Raises UsageError where there is none."""
