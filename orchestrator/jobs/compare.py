"""Versions of jobs beside each other: in what they differ, and which measured the best values."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from orchestrator.errors import UsageError
from orchestrator.jobs.facts import HASH, NONE, facts_of, label
from orchestrator.jobs.jobs import LATEST, Jobs
from orchestrator.jobs.metrics import unseen
from orchestrator.jobs.spending import Row, use_of
from orchestrator.jobs.view import JobView
from orchestrator.metrics.kinds import Goal
from orchestrator.metrics.table import Summary, Table, better
from orchestrator.specs.names import VERSION_PATTERN, check_name, format_version, parse_version
from orchestrator.store.gather import gather

FEW = 4  # versions of a job up to which each is asked for by itself, and not the list of all


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the versions are made of.

    Attributes:
        section: What kind of thing: `parameters`, `code`, `data`, `engine`, `spec` or `kubernetes`.
        name: Of the thing.
        values: Of each version; `-` is nothing.
    """

    section: str
    name: str
    values: list[str]

    @property
    def label(self) -> str:
        """Return what people call it."""
        return label(self.section, self.name)

    @property
    def differs(self) -> bool:
        """Tell whether it is not the same in all versions."""
        return len(set(self.values)) > 1


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in all versions.

    Attributes:
        name: As the scripts call it.
        goal: Which values are better.
        guessed: Whether no version says so, and it is guessed from the name.
        values: Best and last value of each version; None where it was never seen.
        best: Indices of the versions that reached the best value; none if all are alike.
    """

    name: str
    goal: Goal
    guessed: bool
    values: list[Summary | None]
    best: list[int]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Versions beside each other.

    Attributes:
        views: The versions.
        facts: What they are made of.
        metrics: What they measured.
    """

    views: list[JobView]
    facts: list[Fact]
    metrics: list[Metric]

    def names(self) -> list[str]:
        """Return what the versions are called: by number if they are of one job."""
        alone = len({view.name for view in self.views}) == 1
        return [view.version if alone else view.ref for view in self.views]

    def differences(self) -> list[Fact]:
        """Return the facts that are not the same in all versions."""
        return [fact for fact in self.facts if fact.differs]

    def total(self) -> Row:
        """Return how long all of them ran, and what they cost together."""
        row = Row(name="total")
        for use in filter(None, map(use_of, self.views)):
            row.add(use)
        return row


class _Group(NamedTuple):
    """A job and its versions as users write them; without any all are meant."""

    job: str
    versions: list[str]


def choose(jobs: Jobs, texts: Sequence[str]) -> list[JobView]:
    """Return the versions that are meant, in that order.

    Args:
        jobs: Of a store.
        texts: `job`, all versions of which are meant; or followed by versions of it, as in `job`, `v1`, `v2`; or
            `job/v1`.

    Raises:
        NotFoundError: One does not exist.
        UsageError: There are fewer than two, or one is neither a job nor a version.
    """
    found: dict[str, JobView] = {}
    for group in _groups(texts):
        found |= {view.ref: view for view in _of_group(jobs, group)}
    if len(found) < 2:
        message = f"{next(iter(found), 'nothing')} alone cannot be compared"
        raise UsageError(message, hint="name two versions: mlctl job compare NAME v1 v2")
    return list(found.values())


def compare(views: Sequence[JobView]) -> Comparison:
    """Put versions beside each other."""
    return Comparison(views=list(views), facts=_facts(views), metrics=_metrics(views))


def curves(jobs: Jobs, views: Sequence[JobView], name: str) -> list[list[tuple[float, float]]]:
    """Return the curve of a metric in each version: steps and values; empty where it was never seen.

    Raises:
        NotFoundError: No version has it; see `unseen`.
    """
    tables: list[Table] = gather(lambda view: jobs.metrics(view.name, view.version), views)
    found = [table.find(name) for table in tables]
    if not any(found):
        raise unseen(name, "any of these versions", tables)
    return [[(point.step, point.value) for point in each.curve()] if each else [] for each in found]


def _groups(texts: Sequence[str]) -> list[_Group]:
    groups: list[_Group] = []
    for text in texts:
        name, slash, version = text.partition("/")
        if not slash and groups and re.fullmatch(VERSION_PATTERN, text):
            groups[-1].versions.append(text)
            continue
        groups.append(_Group(check_name(name, "job"), [version] if slash else []))
    return groups


def _of_group(jobs: Jobs, group: _Group) -> list[JobView]:
    if group.versions and len(group.versions) <= FEW:
        return [jobs.get(group.job, version) for version in group.versions]
    all_ = jobs.list(group.job)
    if not group.versions:
        return [*reversed(all_)]
    known = {view.version: view for view in all_} | {LATEST: all_[0]}
    found = []
    for version in group.versions:
        number = parse_version(version)
        written = LATEST if number is None else format_version(number)
        found.append(known.get(written) or jobs.get(group.job, version))  # which says what there is instead
    return found


def _facts(views: Sequence[JobView]) -> list[Fact]:
    every = [facts_of(view.record) for view in views]
    rows = []
    for section in every[0]:
        for name in dict.fromkeys(name for one in every for name in one[section]):
            values = [one[section].get(name, NONE) for one in every]
            if section == "code":
                values = [value[:HASH] or "folder" for value in values]
            rows.append(Fact(section=section, name=name, values=values))
    if any(row.name == "engine" and row.differs for row in rows):  # then the environments differ, of course
        rows = [row for row in rows if (row.section, row.name) != ("engine", "environment")]
    return rows


def _metrics(views: Sequence[JobView]) -> list[Metric]:
    metrics = []
    for name in dict.fromkeys(name for view in views for name in view.status.metrics):
        values = [view.status.metrics.get(name) for view in views]
        seen = [value for value in values if value]
        said = next((value for value in seen if not value.guessed), seen[0])
        metrics.append(
            Metric(name=name, goal=said.goal, guessed=said.guessed, values=values, best=_best(values, said.goal))
        )
    return metrics


def _best(values: Sequence[Summary | None], goal: Goal) -> list[int]:
    numbers = {index: value.best.value for index, value in enumerate(values) if value}
    first = math.nan
    for number in numbers.values():
        first = number if better(number, first, goal) else first
    best = [index for index, number in numbers.items() if number == first]
    return [] if len(best) == len(numbers) > 1 else best
