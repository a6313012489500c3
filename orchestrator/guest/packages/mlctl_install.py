"""Install pip-requirements.txt with this Python's own pip:  python mlctl_install.py CODE PREFIX REASON

What Python has already counts as installed, and is pinned: a requirement that would change it is refused. Why it
failed goes into the file REASON.
"""

import glob
import os
import subprocess
import sys
import tempfile

FILE = "pip-requirements.txt"
SHOWN = 6  # lines of pip's reason
_LISTS = ("from versions:", "Ignored the following")  # errors that enumerate all versions there are


def main(code, prefix, reason):
    """Install, and return the exit code."""
    pip = _pip()
    if pip is None:
        return _fail(reason, "the Python %s has no pip" % sys.executable)
    _say("installing the packages of " + FILE)
    pins = tempfile.NamedTemporaryFile("w", suffix=".txt", delete=False)
    pins.write("".join("%s\n" % pin for pin in _pins()))
    pins.close()
    command = pip + ["install", "--no-cache-dir", "--prefix", prefix, "--constraint", pins.name, "--requirement", FILE]
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off", "PIP_USER": "0"}
    settings = dict(os.environ, PIP_ROOT_USER_ACTION="ignore", PYTHONUNBUFFERED="1", **quiet)
    process = subprocess.Popen(command, cwd=code, env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = []
    for line in iter(process.stdout.readline, b""):
        getattr(sys.stdout, "buffer", sys.stdout).write(line)
        sys.stdout.flush()
        lines.append(line.decode("utf-8", "replace").strip())
    status = process.wait()
    os.unlink(pins.name)
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
    return sorted(found)


def _reason(lines):
    """Return what pip says of its failure: its first error and what belongs to it; old ones have no mark for errors."""
    found = []
    for line in lines:
        if found and line.startswith(("ERROR:", "To fix this")):
            break
        if found or (line.startswith("ERROR:") and not any(words in line for words in _LISTS)):
            found.append(line.replace("ERROR: ", ""))
    return " ".join(found[:SHOWN] or lines[-1:]) or "pip failed and said nothing"


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
