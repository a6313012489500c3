"""Writes the table of reasons in docs/troubleshooting.md from the code: `python docs/make_troubleshooting.py`."""

from pathlib import Path

from orchestrator.runtime.status import Reason

PAGE = Path(__file__).with_name("troubleshooting.md")
BEGIN = "<!-- reasons: made by docs/make_troubleshooting.py -->"
END = "<!-- end of reasons -->"


def page() -> str:
    """Return the page as it should be: the text written by hand, with the table made anew."""
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.split(END)[1]


def table() -> str:
    """Return the table of all reasons."""
    rows = [f"| `{reason}` | {reason.meaning} | {_hint(reason)} |" for reason in Reason]
    return "\n".join(["| reason | what has happened | what to do |", "|---|---|---|", *rows])


def _hint(reason: Reason) -> str:
    return reason.hint.format(job="JOB", version="VERSION").replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
