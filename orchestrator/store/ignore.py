"""Ignore files, read as git reads them (https://git-scm.com/docs/gitignore).

Our own translation: `pathspec` answers wrongly for folders in the usual white list `*`, `!*/`,
`!*.py`. The tests compare this one with git itself.
"""

import re
from collections.abc import Sequence

import msgspec

_CLASSES = {
    "alnum": "a-zA-Z0-9", "alpha": "a-zA-Z", "blank": " \\t", "cntrl": "\\x00-\\x1f\\x7f", "digit": "0-9",
    "graph": "!-~", "lower": "a-z", "print": " -~", "punct": "!-/:-@\\[-`{-~", "space": "\\s", "upper": "A-Z",
    "xdigit": "0-9a-fA-F",
}  # fmt: skip


class Rule(msgspec.Struct, frozen=True):
    """One line of an ignore file.

    Attributes:
        text: As written.
        keep: It starts with `!`: what matches is not ignored after all.
        folders_only: It ends with `/`.
        name_only: It has no other `/`: it is compared with the last segment.
        regex: Must match as a whole.
    """

    text: str
    keep: bool
    folders_only: bool
    name_only: bool
    regex: re.Pattern[str]


class IgnoreFile(msgspec.Struct, frozen=True):
    """The rules of one ignore file.

    Attributes:
        label: How to name it to the user.
        rules: The last one first, since the last match decides.
        strip: Characters to cut from the front of a scanned path to make it relative to this file's folder.
        prepend: What to put in front, where the file lies above the scanned folder.
    """

    label: str
    rules: Sequence[Rule]
    strip: int = 0
    prepend: str = ""

    def find(self, path: str, *, folder: bool) -> Rule | None:
        """Return the rule that decides on `path` itself (not on a folder above it), if any."""
        relative = self.prepend + path[self.strip :]
        name = relative[relative.rfind("/") + 1 :]
        for rule in self.rules:
            if (folder or not rule.folders_only) and rule.regex.fullmatch(name if rule.name_only else relative):
                return rule
        return None


def parse_rules(text: str) -> list[Rule]:
    """Return the rules in the text of an ignore file, the last one first."""
    rules = [rule for line in text.removeprefix("\ufeff").split("\n") if (rule := _rule(line.removesuffix("\r")))]
    return rules[::-1]


def _rule(line: str) -> Rule | None:
    pattern = _without_trailing_spaces(line)
    if not pattern or pattern.startswith("#"):
        return None
    keep = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    folders_only = pattern.endswith("/")
    pattern = pattern.removesuffix("/")
    name_only = "/" not in pattern
    regex = _translate(pattern.removeprefix("/"))
    if regex is None or not pattern:
        return None
    return Rule(line, keep, folders_only, name_only, re.compile(regex, re.DOTALL))


def _without_trailing_spaces(line: str) -> str:
    stripped = line.rstrip(" ")
    backslashes = len(stripped) - len(stripped.rstrip("\\"))
    return stripped + " " if backslashes % 2 and stripped != line else stripped


def _translate(pattern: str) -> str | None:
    """Return the regular expression of a pattern, or None if git never matches it."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "*":
            end = at
            while pattern[end : end + 1] == "*":
                end += 1
            whole = end - at > 1 and (at == 0 or pattern[at - 1] == "/")
            if whole and pattern[end : end + 1] == "/":
                parts.append("(?:.*/)?")
                end += 1
            else:
                parts.append(".*" if whole and end == len(pattern) else "[^/]*")
            at = end
        elif character == "?":
            parts.append("[^/]")
            at += 1
        elif character == "[":
            bracket = _bracket(pattern, at + 1)
            if bracket is None:
                return None
            parts.append(bracket[0])
            at = bracket[1]
        else:
            if character == "\\":
                at += 1
                if at == len(pattern):
                    return None
            parts.append(re.escape(pattern[at]))
            at += 1
    return "".join(parts)


def _bracket(pattern: str, at: int) -> tuple[str, int] | None:
    """Translate a bracket expression whose `[` stands before `at`; return it and where it ends."""
    negated = pattern[at : at + 1] in ("!", "^") and at < len(pattern)
    at += negated
    members: list[str] = []
    first = True
    while first or pattern[at : at + 1] != "]":
        if at >= len(pattern):
            return None
        first = False
        if pattern.startswith("[:", at):
            end = pattern.find(":]", at)
            if end < 0 or pattern[at + 2 : end] not in _CLASSES:
                return None
            members.append(_CLASSES[pattern[at + 2 : end]])
            at = end + 2
            continue
        low, at = _member(pattern, at)
        high = low
        if pattern[at : at + 1] == "-" and pattern[at + 1 : at + 2] not in ("", "]"):
            high, at = _member(pattern, at + 1)
        if low is None or high is None:
            return None
        if low <= high:
            members.append(f"{re.escape(low)}-{re.escape(high)}")
    if not members:
        return ("[^/]" if negated else "(?!)"), at + 1
    return f"(?!/)[{'^' if negated else ''}{''.join(members)}]", at + 1


def _member(pattern: str, at: int) -> tuple[str | None, int]:
    if pattern[at] == "\\":
        at += 1
    return (pattern[at], at + 1) if at < len(pattern) else (None, at)
