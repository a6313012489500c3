"""Amounts of memory and of time, as people write them."""

import re

from orchestrator.errors import UsageError

MEMORY_PATTERN = r"^[0-9]{1,19}(?:\.[0-9]{1,9})?(?:[eE][0-9]{1,2}|k|Ki|[MGTPE]i?)?$"
_N = r"[0-9]{1,9}(?:\.[0-9]{1,3})?"
DURATION_PATTERN = rf"^(?=.)(?:[0-9]{{1,9}}|(?:{_N}d)?(?:{_N}h)?(?:{_N}m)?(?:{_N}s)?)$"
MAX_MEMORY = 2**63 - 1  # bytes, the limit of Kubernetes
MAX_DURATION = 3650 * 86400  # seconds, ten years

_MEMORY = re.compile(r"(?P<whole>[0-9]+)(?:\.(?P<part>[0-9]+))?(?P<unit>.*)")
_MEMORY_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18}
_MEMORY_UNITS |= {f"{letter}i": 2 ** (10 * power) for power, letter in enumerate("KMGTPE", start=1)}
_DURATION = re.compile(r"([0-9.]+)([dhms]?)")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}


def parse_memory(value: str | int) -> int:
    """Return bytes of a Kubernetes quantity: `32Gi`, `500M`, `1.5Gi`, `2e9`, or a number of bytes.

    A part of a byte is rounded up, as Kubernetes does. Its `m` (a thousandth of a byte) is refused.
    https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/

    Raises:
        UsageError: It is not such a quantity, or more than `MAX_MEMORY`.
    """
    if isinstance(value, int):
        amount = value
    elif re.fullmatch(MEMORY_PATTERN, value):
        amount = _count_bytes(value)
    else:
        raise UsageError(f"{value[:40]!r} is not an amount of memory", hint=f"for example: {suggest_memory(value)}")
    if not 0 <= amount <= MAX_MEMORY:
        raise UsageError(f"no machine has {str(value)[:40]} of memory", hint="for example: 32Gi")
    return amount


def _count_bytes(text: str) -> int:
    match = _MEMORY.fullmatch(text)
    assert match is not None  # MEMORY_PATTERN is the stricter of the two
    part, unit = match["part"] or "", match["unit"]
    scale: int = _MEMORY_UNITS[unit] if unit in _MEMORY_UNITS else 10 ** int(unit[1:])
    divisor: int = 10 ** len(part)
    return -(-int(match["whole"] + part) * scale // divisor)


def suggest_memory(value: object) -> str:
    """Return a right amount of memory near to what was written: `32gb` gives `32G`."""
    match = re.match(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([kmgtpe]?)(i?)", str(value).lower())
    if match is None:
        return "32Gi"
    number, letter, binary = match.groups()
    unit = letter.upper() if binary or letter != "k" else letter
    return f"{number}{unit or 'G'}{binary if unit else 'i'}"


def format_memory(amount: int) -> str:
    """Return bytes for people, in binary units with at most one decimal: `32Gi`, `1.5Gi`, `640Mi`, `12`."""
    for power, letter in reversed(list(enumerate("KMGTPE", start=1))):
        if amount >= 2 ** (10 * power):
            return f"{amount / 2 ** (10 * power):.1f}".removesuffix(".0") + f"{letter}i"
    return str(amount)


def parse_duration(value: str | float) -> int:
    """Return seconds of `1h30m`, `45s`, `1.5d`, `3600` or a number of seconds, rounded up.

    Raises:
        UsageError: It is not such a duration, or more than `MAX_DURATION`.
    """
    if isinstance(value, str):
        if not re.fullmatch(DURATION_PATTERN, value):
            raise UsageError(f"{value[:40]!r} is not a duration", hint="write it as 90s, 45m, 1h30m or 2d")
        parts = _DURATION.findall(value)
        thousandths = sum(round(float(number) * 1000) * _SECONDS[unit] for number, unit in parts)
        value = thousandths / 1000
    if not 0 <= value <= MAX_DURATION:
        raise UsageError(f"a duration is between 0 and {MAX_DURATION} seconds, not {value}", hint="for example: 1h30m")
    return -int(-value // 1)


def suggest_duration(text: str) -> str | None:
    """Return a right duration near to what was written: `2 hours` gives `2h`; None where nothing is known."""
    match = re.match(r"\s*([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([dhms])", text.lower())
    return match[1] + match[2] if match else None


def format_duration(seconds: float) -> str:
    """Return a duration for people, to the second, in the form that `parse_duration` reads: `1h30m`, `2d`, `0s`."""
    rest = round(seconds)
    text = ""
    for unit in "dhms":
        count, rest = divmod(rest, _SECONDS[unit])
        text += f"{count}{unit}" if count else ""
    return text or "0s"
