"""Flags as gflags reads them: `-name value`, `-name=value`, `--name=value`, and `--` before what are no flags."""

import sys


def parse(words, defaults):
    """Split a command line.

    Args:
        words: What follows the program's name.
        defaults: The known flags with their default values, whose types they have.

    Returns:
        The flags with their values, and the other words in their order.
    """
    flags, others, waiting = dict(defaults), [], list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return flags, others + waiting
        if not word.startswith("-") or word == "-":
            others.append(word)
            continue
        name, given, value = word.lstrip("-").partition("=")
        if name not in defaults:
            sys.exit("ERROR: unknown command line flag '%s'" % name)
        if not given:
            if not waiting:
                sys.exit("ERROR: flag '%s' is missing its argument" % name)
            value = waiting.pop(0)
        try:
            flags[name] = type(defaults[name])(value)
        except ValueError:
            sys.exit("ERROR: illegal value '%s' specified for flag '%s'" % (value, name))
    return flags, others
