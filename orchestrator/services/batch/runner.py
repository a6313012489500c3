"""Ask about file after file; an answer is kept as soon as it is there.

Beside the answers, `<file>_result.txt`, the target has `batch.json`, which tells what they are answers to, and
`manifest.jsonl` with a line for each file: what became of it.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import PurePosixPath
from typing import Any

import msgspec

from orchestrator.errors import ConflictError, MlctlError, NotFoundError, UsageError
from orchestrator.progress import Reporter
from orchestrator.services.ask import Answer, Request, ServiceError, fault_of, let_in
from orchestrator.services.batch.record import MANIFEST, RECORD, Batch, Line, Outcome
from orchestrator.services.form import Forms
from orchestrator.services.rows import MappingError, Rule, row_request, rows_of
from orchestrator.serving.settings import BODY
from orchestrator.store.base import AlreadyExistsError, ObjectInfo, Store, list_objects
from orchestrator.store.parallel import Failure, in_order
from orchestrator.store.records import claim, read

Ask = Callable[[Request], Answer]

RESULT, PARTIAL = "_result.txt", "_partial.txt"
PATIENCE = 120.0  # seconds for a service that is full or away
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 5.0  # seconds
SHOWN = 3  # rows of a table that are named when they fail


class BatchRunner:
    """Runs one batch.

    Args:
        ask: Sends a request to the service.
        forms: Makes what is sent for a file.
        batch: What is asked.
        source: The files.
        target: Where answers go.
        only: The key of the one file; empty is all.
        rule: For the rows of tables.
        parallel: Number of requests under way.
    """

    def __init__(
        self,
        ask: Ask,
        forms: Forms,
        batch: Batch,
        *,
        source: Store,
        target: Store,
        only: str = "",
        rule: Rule | None = None,
        parallel: int,
    ) -> None:
        self._ask = ask
        self._forms = forms
        self._batch = batch
        self._source = source
        self._target = target
        self._only = only
        self._rule = rule or {}
        self._parallel = parallel
        self._over = threading.Event()  # nobody waits for answers any more

    def run(self, reporter: Reporter) -> Outcome:
        """Ask about every file that has no answer yet; returns when all have been asked about.

        Raises:
            ConflictError: The target has the answers of another batch.
            NotFoundError: There are no files.
            ServiceError: The service does not answer any more; the same batch goes on from there.
            PermissionDeniedError: It does not take the token.
        """
        items = self._files()
        if not items:
            raise NotFoundError(f"there is nothing below {self._batch.source}", hint="check the path")
        self._claim()
        there = {item.key for item in list_objects(self._target, "")}
        left = [item for item in items if item.key + RESULT not in there]
        told: dict[str, Line] = {
            item.key: self._good(item.key, item.key + RESULT) for item in items if item.key + RESULT in there
        }
        before = len(told)
        try:
            with reporter.bar(f"asking {self._batch.service}", total=len(items), unit="files") as bar:
                bar.advance(before)
                for key, line in self._answers(left):
                    told[key] = line
                    bar.advance(1)
        finally:
            self._over.set()
        lines = [told[key] for key in sorted(told)]
        self._target.put(MANIFEST, b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
        bad = [(key, line) for key, line in sorted(told.items()) if line.result == "FAILED"]
        failures = [Failure(key, MlctlError(line.error_message)) for key, line in bad]
        manifest = f"{self._target.url.rstrip('/')}/{MANIFEST}"
        return Outcome(len(lines) - len(bad), before, failures, manifest, self._forms.changed)

    def _claim(self) -> None:
        there = {item.key for item in list_objects(self._target, "")}
        if there and RECORD not in there:
            message = f"{self._target.url} has something else than answers, such as {min(there)}"
            raise ConflictError(message, hint="choose another --output, or empty that one")
        try:
            claim(self._target, RECORD, self._batch)
        except AlreadyExistsError:
            other = read(self._target, RECORD, Batch)
            if msgspec.structs.replace(other, created=0.0) != msgspec.structs.replace(self._batch, created=0.0):
                message = f"{self._target.url} has answers of {other.service} to {other.source} ({other.mapping})"
                raise ConflictError(message, hint="choose another --output, or empty that one") from None

    def _files(self) -> list[ObjectInfo]:
        if self._only:
            return [item] if (item := self._source.head(self._only)) else []
        every = sorted(list_objects(self._source, ""), key=lambda item: item.key)
        return [item for item in every if not item.key.endswith("/")]

    def _answers(self, items: list[ObjectInfo]) -> Iterator[tuple[str, Line]]:
        if self._batch.mapping == "csv":
            for item in items:
                yield item.key, self._table(item.key)
            return
        yield from in_order(items, self._file, threads=self._parallel, ahead=4 * self._parallel)

    def _file(self, item: ObjectInfo) -> tuple[str, Line]:
        key = item.key
        if item.size > BODY:
            return key, self._bad(key, f"it has {item.size} bytes, and a service takes {BODY} at most")
        try:
            data = self._source.get(key).data
        except NotFoundError:
            return key, self._bad(key, "it vanished meanwhile")
        try:
            request = self._forms.make({PurePosixPath(key).name: data}).request
        except UsageError as error:  # it is no picture that can be read
            return key, self._bad(key, error.message)
        answer = self._patiently(request)
        if answer.status != HTTPStatus.OK:
            return key, self._bad(key, fault_of(answer))
        self._target.put(key + RESULT, _text(answer.document))
        return key, self._good(key, key + RESULT)

    def _table(self, key: str) -> Line:
        try:
            rows = rows_of(self._source.get(key).data)
            answers = [*in_order(rows, self._row, threads=self._parallel, ahead=4 * self._parallel)]
        except UsageError as error:
            return self._bad(key, error.message)
        lines = b"".join(_text(value) + b"\n" for value, _ in answers)
        faults = [f"row {number}: {fault}" for number, (_, fault) in enumerate(answers, start=1) if fault]
        self._target.put(key + (PARTIAL if faults else RESULT), lines)
        if not faults:
            return self._good(key, key + RESULT)
        more = f", and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        said = f"{len(faults)} of {len(answers)} rows failed: {'; '.join(faults[:SHOWN])}{more}"
        return msgspec.structs.replace(self._bad(key, said), location=self._url(key + PARTIAL))

    def _row(self, row: list[str]) -> tuple[Any, str]:
        try:
            answer = self._patiently(row_request(self._rule, row))
        except MappingError as error:
            return {"error_message": error.message}, error.message
        if answer.status != HTTPStatus.OK:
            return {"error_message": fault_of(answer)}, fault_of(answer)
        return answer.document, ""

    def _patiently(self, request: Request) -> Answer:
        """Return the answer; a service that is full, or started again, is waited for."""
        deadline, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            fault: ServiceError | None = None
            try:
                answer = let_in(self._ask(request), self._batch.service)
                if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() >= deadline:
                    return answer
            except ServiceError as error:
                fault = error
            if fault and (time.monotonic() >= deadline or self._over.is_set()):
                raise ServiceError(fault.message, hint="run the same command again: it goes on from here") from fault
            self._over.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _good(self, key: str, result: str) -> Line:
        return Line(source=self._url_of_source(key), result="SUCCESSFUL", location=self._url(result))

    def _bad(self, key: str, problem: str) -> Line:
        return Line(source=self._url_of_source(key), result="FAILED", error_message=problem)

    def _url(self, key: str) -> str:
        return f"{self._target.url.rstrip('/')}/{key}"

    def _url_of_source(self, key: str) -> str:
        return f"{self._source.url.rstrip('/')}/{key}"


def _text(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
