"""Ask a service about pictures whose answers are known: how often it is right, and how long it takes."""

import time
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from orchestrator.datasets import Datasets
from orchestrator.errors import NotFoundError, UsageError
from orchestrator.progress import SILENT, Reporter
from orchestrator.services.ask import fault_of, let_in
from orchestrator.services.form import Changed, Forms
from orchestrator.services.services import Services
from orchestrator.services.trial.examples import Example, examples
from orchestrator.services.trial.label import label_of
from orchestrator.store.parallel import in_order


class Wrong(msgspec.Struct, frozen=True):
    """A picture that was not answered as it should have been.

    Attributes:
        name: Of the picture.
        label: What it shows.
        said: What the service said.
    """

    name: str
    label: str
    said: str


class Trial(msgspec.Struct, frozen=True):
    """How a service did.

    Attributes:
        data: The dataset version, as in `mnist/V0001`.
        asked: Number of pictures.
        right: Number of right answers.
        median, p99: Seconds for an answer.
        rate: Answers per second.
        wrong: The others, in their order.
        changed: What was done to pictures on their way.
    """

    data: str
    asked: int
    right: int
    median: float
    p99: float
    rate: float
    wrong: list[Wrong]
    changed: Changed


class _Answered(NamedTuple):
    example: Example
    said: str | None
    seconds: float  # 0 if the service was not asked


def try_service(
    services: Services,
    datasets: Datasets,
    name: str,
    *,
    data: str = "",
    number: int = 100,
    parallel: int = 1,
    as_is: bool = False,
    token: str = "",
    reporter: Reporter = SILENT,
) -> Trial:
    """Ask a service about pictures of a dataset.

    Args:
        services: The service's.
        datasets: The dataset's.
        name: Of the service.
        data: The dataset, as NAME or NAME/V0003; by default what the model was trained with.
        number: Of pictures.
        parallel: Number of requests under way.
        as_is: Whether pictures are sent as they are, whatever the model's config.json says.
        token: Instead of the one that this machine knows.
        reporter: Told of the progress.

    Raises:
        NotFoundError: There is no such service or dataset, or it has no pictures with labels.
        ServiceError: The service does not answer.
        PermissionDeniedError: It does not take the token.
        UsageError: What config.json says of pictures cannot be understood.
    """
    dataset, _, version = (data or services.newest(name).lineage.data).partition("/")
    if not dataset:
        hint = f"name one: mlctl service test {name} --data mnist"
        raise NotFoundError(f"it is not known what the model of {name} was trained with", hint=hint)
    found = datasets.get(dataset, version or None)
    paths = [entry.path for entry in datasets.manifest(found).entries]

    def read(path: str) -> bytes:
        return b"".join(datasets.cat(dataset, found.version, path))

    forms, ask = Forms(services.newest(name).config, as_is=as_is), services.asker(name, token)

    def answer(example: Example) -> _Answered:
        try:
            request = forms.make({example.name.rpartition("/")[2]: example.data}).request
        except UsageError as error:  # it is no picture that can be read
            return _Answered(example, error.message, 0.0)
        begun = time.perf_counter()
        got = let_in(ask(request), name)
        said = label_of(got.document) if got.status == HTTPStatus.OK else fault_of(got)
        return _Answered(example, said, time.perf_counter() - begun)

    begun = time.perf_counter()
    with reporter.bar(f"asking {name}", total=number, unit="steps") as bar:
        answers = []
        for one in in_order(examples(paths, read, number), answer, threads=parallel, ahead=2 * parallel):
            answers.append(one)
            bar.advance(1)
    took = time.perf_counter() - begun
    seconds = sorted(one.seconds for one in answers if one.seconds) or [0.0]
    wrong = [
        Wrong(one.example.name, one.example.label, one.said or "nothing that is a label")
        for one in answers
        if one.said != one.example.label
    ]
    return Trial(
        data=f"{found.name}/{found.version}",
        asked=len(answers),
        right=len(answers) - len(wrong),
        median=seconds[len(seconds) // 2],
        p99=seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)],
        rate=len(answers) / took,
        wrong=wrong,
        changed=forms.changed,
    )
