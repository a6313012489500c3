"""Kinds of metrics."""

from typing import Literal

Goal = Literal["minimize", "maximize"]
Source = Literal["call", "file", "events", "log", "system"]
PRECEDENCE: tuple[Source, ...] = ("call", "file", "events", "log", "system")  # who has a name that several use
