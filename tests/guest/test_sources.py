"""What holds for all files of guests: any Python can read them, and they need nothing of ours."""

import ast
import subprocess
import zipfile

import pytest

from tests.guest.pythons import GUESTS, python, pythons

SOURCES = sorted(GUESTS.rglob("*.py"))
LONGEST = 300  # lines
# Without writing a .pyc, which `-m compileall` would leave in the checkout.
COMPILE = "import sys\nfor name in sys.argv[1:]:\n    compile(open(name, 'rb').read(), name, 'exec')\n"


@pytest.mark.parametrize("version", pythons())
def test_every_python_compiles_them(version: str):
    done = subprocess.run([python(version), "-c", COMPILE, *SOURCES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(GUESTS)))
def test_they_import_nothing_of_ours(path):
    tree = ast.parse(path.read_text())
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name.split(".")[0] == "orchestrator"]
    assert ast.get_docstring(tree)
    assert len(path.read_text().splitlines()) <= LONGEST


def test_nothing_of_ours_imports_them():
    parts = {folder.name for folder in GUESTS.iterdir()}
    packages = {package.name for part in parts for package in (GUESTS / part).iterdir()}
    for path in GUESTS.parent.rglob("*.py"):
        if GUESTS in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
                assert not module.startswith("orchestrator.guest"), path
                assert module.split(".")[0] not in packages, path


def test_a_wheel_carries_them(tmp_path):
    pip = [python("3.11") or python(pythons()[-1]), "-m", "pip", "wheel", "-q", "--no-deps", "-w", tmp_path]
    root = GUESTS.parents[1]
    done = subprocess.run([*pip, root], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    assert {f"orchestrator/guest/{path.relative_to(GUESTS)}" for path in SOURCES} <= names
