"""Amounts in words."""


def size(amount: int) -> str:
    """Return bytes for people, in decimal units: `55.0 MB`."""
    value = float(amount)
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 999.95 or unit == "TB":
            return count(amount, "byte") if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("unreachable")


def count(number: int, noun: str) -> str:
    """Return `1 file`, `2 files`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def money(amount: float, currency: str) -> str:
    """Return an amount of money for people: `12.50 CNY`, `0.0042 CNY`; `0 CNY` is nothing at all."""
    digits = 0 if amount == 0 else 2 if amount >= 0.1 else 4
    return f"{amount:,.{digits}f} {currency}"
