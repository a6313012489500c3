"""Takes the picture docs/demo.svg: runs the README's first command as a new user would, draws what the terminal showed.

    python docs/make_demo.py     # a minute or two; needs a network

A clone of the last commit, in an empty home; all that is shown was printed. Epochs in the middle are left out.
"""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pexpect
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
PICTURE = Path(__file__).with_name("demo.svg")
COLUMNS = 100  # of the terminal
PATIENCE = 900  # seconds
KEPT = ("PATH", "LANG", "PIP_", "UV_", "SSL_", "REQUESTS_CA_BUNDLE", "http_proxy", "https_proxy", "no_proxy")
LEFT_OUT = re.compile(r"^Epoch\[[1-6]\].*$|^Saved checkpoint to .*-000[2-7]\.params.*$")

# rich's own template, without its fonts from the web: a picture in a repository loads nothing.
TEMPLATE = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-family: sans-serif; font-size: 18px; font-weight: bold; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def readme_command() -> str:
    """Return the first command of the README."""
    found = re.search(r"```sh\n(.+)\n```", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert found
    return found[1]


def record(command: str, home: Path) -> str:
    """Return what a terminal showed of a command that was run in a clone below `home`."""
    clone = home / "mlctl"
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    environment = {name: value for name, value in os.environ.items() if name.startswith(KEPT)}
    process = pexpect.spawn(
        "bash",
        ["-c", command],
        cwd=str(clone),
        env={**environment, "HOME": str(home), "TERM": "xterm-256color"},
        encoding="utf-8",
        dimensions=(50, COLUMNS),
        timeout=PATIENCE,
    )
    process.expect(pexpect.EOF)
    process.close()
    if process.exitstatus:
        raise SystemExit(f"exit code {process.exitstatus}\n{process.before}")
    return str(process.before).replace(str(home), "~")


def screen(recorded: str) -> list[str]:
    """Return the lines that stay on the screen, with their colours; bars that were drawn over have gone."""
    lines, row, at_start = [""], 0, False
    for piece in re.split(r"(\r|\n|\x1b\[[0-9;?]*[A-Za-z])", recorded):
        if piece == "\n":
            row, at_start = row + 1, False
            lines += [""] * (row - len(lines) + 1)
        elif piece == "\r":
            at_start = True
        elif move := re.fullmatch(r"\x1b\[([0-9]*)A", piece):
            row -= int(move[1] or 1)
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif piece.endswith("m") or not piece.startswith("\x1b"):
            lines[row] = piece if at_start and piece else lines[row] + piece
            at_start = at_start and not piece
    return lines


def shorten(lines: list[str]) -> list[str]:
    """Leave out the epochs in the middle, and say so."""
    kept = [line for line in lines if not LEFT_OUT.match(line)]
    at = next(number for number, line in enumerate(kept) if line.startswith("Epoch[7]"))
    return [*kept[:at], f"\x1b[2m  ... epochs 1 to 6: {len(lines) - len(kept)} lines ...\x1b[0m", *kept[at:]]


def draw(command: str, lines: list[str]) -> str:
    """Return the picture."""
    console = Console(record=True, width=COLUMNS, file=Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
    prompt = "\x1b[32m~/mlctl $\x1b[0m " + command.replace(" && ", " && \\\n    ")
    for line in [*prompt.split("\n"), *lines]:
        text = Text.from_ansi(line, no_wrap=True)
        text.expand_tabs(8)
        for part in text.divide(range(COLUMNS, len(text), COLUMNS)):  # as a terminal does, between any two characters
            console.print(part)
    return console.export_svg(title="mlctl", code_format=TEMPLATE, unique_id="demo")


def main() -> None:
    """Take the picture."""
    command = readme_command()
    with tempfile.TemporaryDirectory() as folder:
        recorded = record(command, Path(folder).resolve())
    PICTURE.write_text(draw(command, shorten(screen(recorded.rstrip()))), encoding="utf-8")


if __name__ == "__main__":
    main()
