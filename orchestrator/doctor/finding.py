"""What a check finds."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """One line of the report; `hint` says what to do about it."""

    level: Level
    subject: str
    message: str
    hint: str = ""
