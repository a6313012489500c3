"""`mlctl predict`: ask a service."""

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli import complete
from orchestrator.cli.options import ContextOption, RuleOption, TokenOption, checked, open_client, read_rule
from orchestrator.cli.render import Format, detail_lines, encode, plain, write
from orchestrator.errors import UsageError

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)

STDIN = "-"
TABLE, REQUEST = ".csv", ".json"  # endings of files
_JSON = ("{", "[")  # what begins so is meant to be JSON, and told what is wrong with it


@app.command()
def predict(
    service: Annotated[
        str,
        typer.Argument(
            metavar="SERVICE", help="The service.", callback=checked("service"), autocompletion=complete.services
        ),
    ],
    file: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="A picture, a request as .json, a table as .csv, or another file; - is any of these from stdin.",
            show_default=False,
        ),
    ] = None,
    resize: Annotated[
        str | None, typer.Option("--resize", metavar="WxH", help="Size of the picture that is sent, as in 28x28.")
    ] = None,
    gray: Annotated[bool, typer.Option("--gray", help="Send it in shades of gray.")] = False,
    invert: Annotated[bool, typer.Option("--invert", help="Send it with white for black.")] = False,
    as_is: Annotated[
        bool,
        typer.Option("--as-is", help="Send the file itself, whatever it is and the model's config.json says."),
    ] = False,
    json: Annotated[str | None, typer.Option("--json", metavar="JSON", help="What to send instead of a file.")] = None,
    rule: RuleOption = None,
    token: TokenOption = None,
    output: Annotated[
        Format | None, typer.Option("--output", "-o", metavar="json|yaml", help="Write this instead of lines.")
    ] = None,
    context: ContextOption = None,
) -> None:
    """Ask a service and show its answer.

    It is written as lines on a terminal, as JSON otherwise. A picture is sent as the model's config.json says that it
    takes pictures, and what is done to it is told. Each row of a table is asked about by itself; each answer is a line
    of JSON.
    """
    from orchestrator.services.ask import value_of
    from orchestrator.services.form import contents_of
    from orchestrator.services.picture import AS_IT_IS, Preparation

    if (file is None) == (json is None):
        raise UsageError("name either a file or --json", hint=f"mlctl predict {service} seven.png")
    prepare = Preparation(gray=gray, resize=_size(resize), invert=invert)
    services = open_client(context).services
    with _here(file) as path:
        kind = REQUEST if path is None else "" if as_is else _kind(path, piped=file == STDIN, ruled=bool(rule))
        if rule and kind != TABLE:
            raise UsageError("a rule is for rows of tables", hint=f"mlctl predict {service} rows.csv --rule {rule}")
        if kind in (TABLE, REQUEST) and prepare != AS_IT_IS:
            raise UsageError("--gray, --resize and --invert are for pictures", hint="a file in any case: --as-is")
        if path and kind == TABLE:
            _write_rows(services.predict_rows(service, path, rule=read_rule(rule), token=token or ""), output)
            return
        if path and kind != REQUEST:
            answer = services.predict(service, files=[path], prepare=prepare, as_is=as_is, token=token or "")
        else:
            [data] = contents_of([path]).values() if path else [str(json).encode()]
            answer = services.predict(service, json=data, token=token or "")
    value = value_of(answer, service)
    if output is None and sys.stdout.isatty() and isinstance(value, dict):
        lines = {str(key): _lines(one) for key, one in value.items()}
        write(detail_lines(lines | {"Model": answer.model}, sys.stdout))
    else:
        write(encode(value, output or Format.JSON))


@contextmanager
def _here(file: str | None) -> Iterator[Path | None]:
    """Give the path of a file; that of a copy, if it comes from stdin."""
    if file != STDIN:
        yield Path(file).expanduser() if file else None
        return
    with tempfile.TemporaryDirectory(prefix="mlctl-") as folder:
        path = Path(folder, "stdin")
        path.write_bytes(sys.stdin.buffer.read())
        yield path


def _kind(path: Path, *, piped: bool, ruled: bool) -> str:
    """Return the ending of a file; of what came from stdin that which it should have, going by what is in it."""
    if not piped:
        return path.suffix.lower()
    if ruled:
        return TABLE
    try:
        text = path.read_bytes().decode()
    except UnicodeDecodeError:
        return ""
    return TABLE if text.strip() and not text.lstrip().startswith(_JSON) and not _is_json(text) else REQUEST


def _is_json(text: str) -> bool:
    import json

    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _write_rows(values: Iterable[Any], output: Format | None) -> None:
    """Write the answer to each row as it comes, in a line of JSON; or all of them as one document."""
    import json

    if output:
        write(encode([*values], output))
    else:
        for value in values:
            write(json.dumps(plain(value)) + "\n")


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not found:
        raise UsageError(f"{text!r} is not a size", hint="width and height in pixels, as in --resize 28x28")
    return int(found[1]), int(found[2])


def _lines(value: object) -> str:
    """Return a value as lines, a list's entries each in its own."""
    if not isinstance(value, list):
        return str(value)
    return "\n".join("  ".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
