"""What of a model changes: aliases, which name a version for others to use, tags and notes; with their history."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import msgspec

from orchestrator.errors import NotFoundError, UsageError
from orchestrator.models.record import CARD, model_prefix
from orchestrator.specs.names import VERSION_PATTERN, check_name, format_version, nearest
from orchestrator.store.base import AlreadyExistsError, Store
from orchestrator.store.records import change, claim, find


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of a model's card.

    Attributes:
        time: Seconds since the epoch.
        author: `user@host`.
        what: What was changed.
        alias: Which alias.
        before, after: The version it named, by number; 0 is none. Of a tag or a note `after` has the version.
        text: The tag or note.
    """

    time: float
    author: str
    what: Literal["alias", "tag", "untag", "note"]
    alias: str = ""
    before: int = 0
    after: int = 0
    text: str = ""


class Card(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a model changes.

    Attributes:
        aliases: Number of the version that each names.
        tags: Of versions, by `V0003`.
        notes: The same.
        history: All changes, the oldest first.
    """

    aliases: dict[str, int] = {}
    tags: dict[str, list[str]] = {}
    notes: dict[str, str] = {}
    history: list[Change] = []

    def aliases_of(self, number: int) -> list[str]:
        """Return the aliases of a version, by name."""
        return sorted(alias for alias, named in self.aliases.items() if named == number)


def read_card(store: Store, name: str) -> Card:
    """Return a model's card."""
    return find(store, model_prefix(name) + CARD, Card) or Card()


def check_alias(alias: str) -> str:
    """Return an alias if it is one. Raises UsageError: it could be taken for a version, or is no name."""
    if re.fullmatch(VERSION_PATTERN, alias):
        raise UsageError(f"{alias!r} is the name of a version, so it cannot be an alias", hint="for example: champion")
    return check_name(alias, "alias")


def named_by(store: Store, name: str, alias: str) -> int:
    """Return the number of the version that an alias names.

    Raises:
        NotFoundError: The model has no such alias.
    """
    aliases = read_card(store, name).aliases
    if alias in aliases:
        return aliases[alias]
    near = nearest(alias, aliases)
    hint = f"did you mean {near}?" if near else f"mlctl model alias set {name} {alias} v1"
    known = f"; it has {', '.join(sorted(aliases))}" if aliases else ""
    raise NotFoundError(f"model {name} has no alias {alias!r}{known}", hint=hint)


def set_alias(store: Store, name: str, alias: str, number: int, author: str) -> int:
    """Let an alias name a version (0: none any more), and return the number that it named before."""
    before = 0

    def edit(card: Card) -> Card:
        nonlocal before
        before = card.aliases.get(alias, 0)
        if before == number:
            return card
        aliases = {**card.aliases, alias: number}
        if not number:
            del aliases[alias]
        entry = Change(time=time.time(), author=author, what="alias", alias=alias, before=before, after=number)
        return msgspec.structs.replace(card, aliases=aliases, history=[*card.history, entry])

    _edit(store, name, edit)
    return before


def set_tag(store: Store, name: str, number: int, tag: str, author: str, *, remove: bool = False) -> None:
    """Give a version a tag, or take it away."""

    def edit(card: Card) -> Card:
        version = format_version(number)
        tags = card.tags.get(version, [])
        if (tag in tags) is not remove:
            return card
        left = [other for other in tags if other != tag] if remove else sorted([*tags, tag])
        entry = Change(time=time.time(), author=author, what="untag" if remove else "tag", after=number, text=tag)
        return msgspec.structs.replace(card, tags={**card.tags, version: left}, history=[*card.history, entry])

    _edit(store, name, edit)


def set_note(store: Store, name: str, number: int, text: str, author: str) -> None:
    """Write down something about a version, in the place of what was."""

    def edit(card: Card) -> Card:
        entry = Change(time=time.time(), author=author, what="note", after=number, text=text)
        notes = {**card.notes, format_version(number): text}
        return msgspec.structs.replace(card, notes=notes, history=[*card.history, entry])

    _edit(store, name, edit)


def _edit(store: Store, name: str, edit: Callable[[Card], Card]) -> None:
    key = model_prefix(name) + CARD
    if find(store, key, Card) is None:
        with suppress(AlreadyExistsError):  # somebody else was first
            claim(store, key, Card())
    change(store, key, Card, edit)
