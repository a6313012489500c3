"""Install pip-requirements.txt with this Python's pip:  python mlctl_install.py CODE PREFIX REASON [NAME==VERSION]...

What Python has already counts as installed, and is pinned: a requirement that would change it is refused; so does what
it has under another name, NAME==VERSION. Why it failed goes into the file REASON.
"""

import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

FILE = "pip-requirements.txt"
SHOWN = 6  # lines of pip's reason
# What pip warns of before it says that there is no such package.
_AWAY = re.compile(r"connection broken by '(.+)': /|Could not fetch URL (.+?)(?: - skipping)?$")
_LISTS = ("from versions:", "Ignored the following")  # errors that enumerate all versions there are


def main(code, prefix, reason, *provided):
    """Install, and return the exit code."""
    pip = _pip()
    if pip is None:
        return _fail(reason, "the Python %s has no pip" % sys.executable)
    _say("installing the packages of " + FILE)
    scratch = tempfile.mkdtemp()
    pins = os.path.join(scratch, "pins.txt")
    with open(pins, "w") as file:
        file.write("".join("%s\n" % pin for pin in sorted(_pins().union(provided))))
    _pretend(scratch, provided)
    command = pip + ["install", "--no-cache-dir", "--prefix", prefix, "--constraint", pins, "--requirement", FILE]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off", "PIP_USER": "0"}
    path = os.pathsep.join([scratch] + [one for one in [os.environ.get("PYTHONPATH")] if one])
    settings = dict(os.environ, PYTHONPATH=path, PIP_ROOT_USER_ACTION="ignore", PYTHONUNBUFFERED="1", **quiet)
    process = subprocess.Popen(command, cwd=code, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = []
    for line in iter(process.stdout.readline, b""):
        getattr(sys.stdout, "buffer", sys.stdout).write(line)
        sys.stdout.flush()
        lines.append(line.decode("utf-8", "replace").strip())
    status = process.wait()
    shutil.rmtree(scratch)
    if status:
        return _fail(reason, _reason([line for line in lines if line]))
    _say("the packages of %s are there" % FILE)
    return 0


def _pip():
    """Return the command that runs pip: as it is installed, or as Python brings it along for new environments."""
    with open(os.devnull, "w") as nothing:
        if subprocess.call([sys.executable, "-m", "pip", "--version"], stdout=nothing, stderr=nothing) == 0:
            return [sys.executable, "-m", "pip"]
    try:
        import ensurepip
    except ImportError:
        return None
    wheels = glob.glob(os.path.join(os.path.dirname(ensurepip.__file__), "_bundled", "pip-*.whl"))
    return [sys.executable, os.path.join(wheels[0], "pip")] if wheels else None


def _pins():
    """Return what is installed, as requirements."""
    found = set()
    for folder in sys.path:
        for info in glob.glob(os.path.join(folder, "*.dist-info")):
            name, _, version = os.path.basename(info)[: -len(".dist-info")].rpartition("-")
            if name and not name.startswith("~"):  # what an interrupted pip has left
                found.add("%s==%s" % (name, version))
    return found


def _pretend(folder, provided):
    """Have pip find as installed what is there under another name."""
    for pin in provided:
        name, _, version = pin.partition("==")
        info = os.path.join(folder, "%s-%s.dist-info" % (name, version))
        os.mkdir(info)
        with open(os.path.join(info, "METADATA"), "w") as file:
            file.write("Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version))


def _reason(lines):
    """Return what pip says of its failure: its first error and what belongs to it; old ones have no mark for errors."""
    found = []
    for line in lines:
        if found and line.startswith(("ERROR:", "To fix this")):
            break
        if found or (line.startswith("ERROR:") and not any(words in line for words in _LISTS)):
            found.append(line.replace("ERROR: ", ""))
    away = [match.group(match.lastindex) for match in map(_AWAY.search, lines) if match]
    found = found[:SHOWN] + (["(the index did not answer: %s)" % away[-1]] if away else [])
    return " ".join(found or lines[-1:]) or "pip failed and said nothing"


def _fail(path, reason):
    _say("the packages of %s cannot be installed: %s" % (FILE, reason))
    with open(path, "wb") as file:
        file.write(reason.encode("utf-8"))
    return 1


def _say(text):
    sys.stdout.write("mlctl: %s\n" % text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
