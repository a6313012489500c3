"""What MoXing has and this implementation has not: said by name, instead of as a puzzle."""

import sys
import types

PAGE = "docs/moxing.md"


class NotCoveredError(AttributeError, NotImplementedError):
    """The script uses a part of MoXing that mlctl does not have."""


class _Guarded(types.ModuleType):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotCoveredError(message_for("%s.%s" % (self.__name__, name)))


def message_for(what):
    """Return the sentence that names the page."""
    return "mlctl's MoXing does not have %s: %s tells what is covered, and what to use instead" % (what, PAGE)


def guard(name):
    """Have the module of that name tell what it does not have; called at the end of its file."""
    module = sys.modules[name]
    guarded = _Guarded(name)
    guarded.__dict__.update(module.__dict__)
    guarded.__dict__["_unguarded"] = module  # Python 2 empties a module that nobody refers to
    sys.modules[name] = guarded
