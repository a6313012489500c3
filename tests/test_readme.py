"""The pages keep their word, as far as that can be told quickly; tests/e2e/test_new_user.py does what they say."""

import re
import shlex

import pytest
import typer

from docs import make_job_spec, make_troubleshooting
from orchestrator.cli.main import COMMANDS, app
from orchestrator.specs.load import parse_job_spec
from orchestrator.specs.load_sweep import load_sweep_spec
from tests.pages import PAGES, ROOT, blocks, name_of, prose

SHELL = [block for page in PAGES for block in blocks(page, "sh")]
YAML = [block for page in PAGES for block in blocks(page, "yaml")]
PYTHON = [block for page in PAGES for block in blocks(page, "python")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def by_id(items):
    return {"argvalues": items, "ids": [item.id for item in items]}


def parse(arguments):
    """Have a command line of mlctl parsed as the program does, and return its command; nothing is run."""
    command = typer.main.get_command(app)
    with command.make_context("mlctl", [], resilient_parsing=True) as context:
        while children := getattr(command, "commands", None):
            name, *arguments = arguments
            assert name in children, f"there is no command {name}"
            command = command.get_command(context, name)
    with command.make_context(command.name, arguments):
        return command


def mlctl_lines(text):
    """Return the arguments of all calls of mlctl in shell text."""
    for line in text:
        for part in re.split(r"[&|;]+", re.sub(r"\d*>&?\s*\S+", "", line)):
            words = shlex.split(part)
            if words and words[0].rpartition("/")[2] == "mlctl":
                yield words[1:]


@pytest.mark.parametrize("block", **by_id(SHELL))
def test_commands_exist_with_their_options(block):
    assert block.commands
    for arguments in mlctl_lines(block.commands):
        parse(arguments)


def test_a_wrong_command_would_be_found():
    for wrong in (["job", "creat", "x.yaml"], ["job", "list", "--nope"], ["dataset", "push", "."]):
        with pytest.raises((AssertionError, typer.BadParameter.__mro__[2])):
            parse(wrong)


def mentions():
    """Yield where, and which, commands are named: `code` in pages, and text in the program's sources."""
    for path in PAGES:
        for quoted in re.findall(r"`mlctl ([^`]+)`|^    +mlctl (.+)", prose(path), flags=re.MULTILINE):
            yield name_of(path), "".join(quoted)
    in_text = re.compile(rf"(?<![\w/.-])mlctl ((?:{'|'.join(COMMANDS)}) [^\"`';,)]*)")
    for path in sorted(ROOT.glob("orchestrator/**/*.py")):
        for quoted in in_text.findall(path.read_text(encoding="utf-8")):
            yield name_of(path), quoted


def test_commands_that_are_mentioned_exist():
    root = typer.main.get_command(app)
    wrong, seen = [], 0
    with root.make_context("mlctl", [], resilient_parsing=True) as context:
        for place, text in mentions():
            name, *rest = text.split()
            if name.startswith("-"):
                continue
            seen += 1
            command = root.get_command(context, name)
            children = getattr(command, "commands", {})
            if command is None or (children and rest and rest[0].isalpha() and rest[0] not in children):
                wrong.append(f"{place}: mlctl {text}")
    assert wrong == []
    assert seen > 50


@pytest.mark.parametrize("block", **by_id(YAML))
def test_yaml_is_a_valid_job_or_sweep(block, tmp_path):
    if "$schema=sweep.schema.json" in block.text:
        (tmp_path / "sweep.yaml").write_text(block.text.replace("../job_specs", str(ROOT / "job_specs")))
        load_sweep_spec(tmp_path / "sweep.yaml")
    else:
        parse_job_spec(block.text, folder=tmp_path, source=block.id, environ={"WHO": "me"})


@pytest.mark.parametrize("block", **by_id(PYTHON))
def test_python_compiles(block):
    compile(block.text, block.id, "exec")


def anchors(text):
    """Return the anchors of a page's headings, as a forge makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_links_lead_somewhere(path):
    for link in LINK.findall(prose(path)):
        if re.match(r"[a-z]+:", link):
            continue
        target, _, anchor = link.partition("#")
        file = path.parent / target if target else path
        assert file.exists(), f"{name_of(path)}: {link}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{name_of(path)}: {link}"


def test_every_page_is_linked():
    linked = {(path.parent / link.partition("#")[0]).resolve() for path in PAGES for link in LINK.findall(prose(path))}
    assert [name_of(path) for path in PAGES[1:] if path.resolve() not in linked] == []


@pytest.mark.parametrize(
    ("name", "page"), [("job-spec", make_job_spec.page), ("troubleshooting", make_troubleshooting.page)]
)
def test_what_is_made_from_code_is_current(name, page):
    written = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
    assert written == page(), f"run: python docs/make_{name.replace('-', '_')}.py"


def test_the_picture_shows_what_it_should():
    picture = (ROOT / "docs" / "demo.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    text = "\n".join(re.findall(r"<text[^>]*>([^<]*)</text>", picture))
    command = blocks(ROOT / "README.md", "sh")[0].text
    assert all(part.strip() in text.replace("&amp;", "&") for part in command.split("&&"))
    for shown in ("mnist-mxnet/V0001 SUCCEEDED", "job mnist-mxnet/V0001 created", "output: 14 files"):
        assert shown in text
    assert float(re.findall(r"Epoch\[7\] Train-accuracy=([\d.]+)", text)[0]) >= 0.97
    assert not re.search(r"(?<![\w~.])/\w", text), "an absolute path of the machine where it was taken"
    assert "http" not in picture.replace('xmlns="http://www.w3.org/2000/svg"', "")


def test_the_test_command_is_what_ci_runs():
    command = blocks(ROOT / "README.md", "sh")[-1].text
    assert command.endswith("pytest")
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
