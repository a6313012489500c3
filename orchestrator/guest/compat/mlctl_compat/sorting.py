"""`list.sort(cmp=...)` of Python 2, for scripts that use it."""

# Imports are inside of functions: nearly no script needs them, and this runs before each.

_USES_CMP = r"\b(?:sort|sorted)\s*\([^()]*\bcmp\s*="


def started_script():
    """Return the path of the script that this process was started with; nothing where that cannot be told."""
    try:
        with open("/proc/self/cmdline", "rb") as file:
            words = file.read().decode("utf-8", "surrogateescape").split("\0")
    except (IOError, OSError):
        return ""
    # Options of the interpreter that take a value, such as -c, start no script.
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    return script if script.endswith(".py") else ""


def uses_cmp(script):
    """Tell whether a script sorts as only Python 2 can."""
    try:
        with open(script, "rb") as file:
            source = file.read()
    except (IOError, OSError):
        return False
    if b"cmp" not in source:
        return False
    import re

    return bool(re.search(_USES_CMP, source.decode("utf-8", "replace")))


def install():
    """Give `list.sort` and `sorted` the argument `cmp`."""
    import builtins
    import ctypes
    import functools
    import gc

    original = list.sort

    def sort(self, cmp=None, key=None, reverse=False):
        """Sort in place; `cmp` compares two items, or two keys."""
        if cmp is not None:
            compared = functools.cmp_to_key(cmp)
            key = compared if key is None else _chained(key, compared)
        original(self, key=key, reverse=reverse)

    def ordered(iterable, cmp=None, key=None, reverse=False):
        """Return a sorted list; `cmp` compares two items, or two keys."""
        items = list(iterable)
        sort(items, cmp, key, reverse)
        return items

    # A built-in type takes no new attributes, but its dictionary does.
    (namespace,) = gc.get_referents(list.__dict__)
    namespace["sort"] = sort
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(list))
    builtins.sorted = ordered


def _chained(key, compared):
    return lambda item: compared(key(item))
