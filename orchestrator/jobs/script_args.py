"""Which arguments a training script declares, read from its source without running it."""

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

MOXING_FLAGS = ("num_gpus", "job_name", "task_index", "ps_hosts", "worker_hosts")  # CONTRACT, section 1
_DECLARING = re.compile(
    r"""(?:add_argument|option)\s*\(\s*(?:['"]-\w['"]\s*,\s*)?['"]--([\w-]+)['"]|DEFINE_\w+\s*\(\s*['"]([\w-]+)['"]"""
)


_VARIABLE = re.compile(r"\bDLS_(?:DATA|TRAIN)_URL\b")
_STARTING = frozenset({"run_path", "execfile", "run", "call", "check_call", "check_output", "Popen", "system", "execv"})


class Declared(msgspec.Struct, frozen=True):
    """The arguments a script declares.

    Attributes:
        names: Without the dashes.
        switches: Those of them that take no value (`store_true`).
        tolerant: Whether the script ignores arguments that it does not know.
        computed: Whether it declares others, whose names are made when it runs.
        variables: Environment variables of the contract that it names and that have what arguments have, too.
    """

    names: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    tolerant: bool = False
    computed: bool = False
    variables: frozenset[str] = frozenset()

    def __or__(self, other: "Declared") -> "Declared":
        """Return what either declares."""
        return Declared(
            self.names | other.names,
            self.switches | other.switches,
            self.tolerant or other.tolerant,
            self.computed or other.computed,
            self.variables | other.variables,
        )


def declared_arguments(boot_file: Path, code: Path) -> Declared:
    """Return what the boot file and the modules of the code folder it imports, or scripts that it starts, declare.

    Understands argparse, tf.flags and absl flags, and click. Nothing found means that nothing is
    known: the script may read `sys.argv` in its own way.
    """
    found, seen, waiting = Declared(), set[Path](), [boot_file]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        source = path.read_text(encoding="utf-8", errors="replace")
        found |= Declared(variables=frozenset(_VARIABLE.findall(source)))
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):  # Python 2, most often
            found |= _by_pattern(source)
        else:
            found |= _by_tree(tree)
            for name in _imported(tree):
                stem = Path(*name.split("."))
                for base in (code, path.parent):
                    waiting += [base / stem.with_suffix(".py"), base / stem / "__init__.py"]
            waiting += [base / name for name in _started(tree) for base in (code, path.parent)]
    return found


def render_arguments(parameters: Mapping[str, str | int | float | bool], declared: Declared) -> list[str]:
    """Return `--key=value` for each parameter; a declared switch is `--key` when true and absent when false."""
    arguments = []
    for key, value in parameters.items():
        if key in declared.switches and isinstance(value, bool):
            arguments += [f"--{key}"] if value else []
        else:
            arguments.append(f"--{key}={value}")
    return arguments


def _by_pattern(source: str) -> Declared:
    names = frozenset(a or b for a, b in _DECLARING.findall(source))
    return Declared(names | _of_moxing("moxing.tensorflow" in source), frozenset(), "parse_known_args" in source)


def _by_tree(tree: ast.AST) -> Declared:
    names: set[str] = set()
    switches: set[str] = set()
    tolerant = computed = False
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
        if function in ("add_argument", "option"):
            long = {part.removeprefix("--") for text in texts for part in text.split("/") if part.startswith("--")}
            names |= long
            computed = computed or (bool(node.args) and not texts)
            if any(_is_switch(keyword) for keyword in node.keywords):
                switches |= long
        elif function.startswith("DEFINE_") and node.args:
            if isinstance(node.args[0], ast.Constant):
                names.update(texts[:1])
            else:
                computed = True
        elif function == "parse_known_args":
            tolerant = True
    moxing = any(name.startswith("moxing.tensorflow") for name in _imported(tree))
    return Declared(frozenset(names) | _of_moxing(moxing), frozenset(switches), tolerant, computed)


def _is_switch(keyword: ast.keyword) -> bool:
    value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
    return (keyword.arg == "action" and value in ("store_true", "store_const", "count")) or (
        keyword.arg == "is_flag" and value is True
    )


def _imported(tree: ast.AST) -> Iterable[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield from ([module] if module else [])
            yield from (f"{module}.{alias.name}".lstrip(".") for alias in node.names)


def _started(tree: ast.AST) -> Iterable[str]:
    """Yield the scripts that are named where others are started, as in `runpy.run_path(folder + "train.py")`."""
    for node in ast.walk(tree):
        function = getattr(node, "func", None)
        if isinstance(node, ast.Call) and getattr(function, "attr", getattr(function, "id", "")) in _STARTING:
            texts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
            yield from (text.lstrip("/") for text in texts if isinstance(text, str) and text.endswith(".py"))


def _of_moxing(used: bool) -> frozenset[str]:
    return frozenset(MOXING_FLAGS) if used else frozenset()
