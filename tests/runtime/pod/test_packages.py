"""Packages that a job brings, installed in the main container by the image's own Python and pip, old ones too."""

import itertools
import shlex
import subprocess
import sys
import zipfile

import pytest

from orchestrator.runtime.guests import bring_guests
from orchestrator.runtime.status import Reason
from tests.engines.conftest import make_wheel
from tests.guest.pythons import python, pythons
from tests.runtime.pod.conftest import SHELLS, WAIT, finish
from tests.waiting import wait_until

GUESTS = ("moxing", "packages", "compat")


@pytest.fixture
def asking(job, tmp_path, monkeypatch):
    """Give a job whose pods find packages in a folder."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "beta")
    make_wheel(wheels, "needy", requires="beta>=2")
    job.settings = {"PIP_CONFIG_FILE": "/dev/null", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return job


def begin(job, script, *lines, shell="sh", **fields):
    (job.folder / "code" / "pip-requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    job.submit(script, guests=GUESTS, environment=job.settings, **fields)
    pod = job.pod()
    pod.prepare()
    bring_guests(job.task, pod.volume)
    return pod, pod.start("sync"), pod.main(shell)


def use(job, version):
    job.python(f'exec {shlex.quote(python(version) or sys.executable)} "$@"')


@pytest.mark.parametrize("version", pythons("2.7", "3.6"))
def test_the_script_finds_them(asking, version):
    use(asking, version)
    script = """
        import beta
        there = any(os.access(one + "/run-beta", os.X_OK) for one in os.environ["PATH"].split(":"))
        print("%s %s" % (beta.version, there))
    """
    pod, sync, main = begin(asking, script, "beta")
    assert finish(pod, sync, main) == 0, pod.stdout.read_text()
    said = asking.log().decode()
    assert said.startswith("mlctl: installing the packages of pip-requirements.txt\n")
    assert "mlctl: the packages of pip-requirements.txt are there\n" in said
    assert said.splitlines()[-1] == "1.0 True"
    assert pod.stdout.read_text() == said
    assert asking.status().state == "SUCCEEDED"


@pytest.mark.parametrize(
    ("version", "line", "words"),
    [("2.7", "nowhere", "nowhere"), ("3.6", "two words", "words"), ("3.9", "needy", "beta"), ("3.13", "needy", "beta")],
)
def test_what_cannot_be_had_fails_the_job_with_pips_words(asking, version, line, words):
    use(asking, version)
    pod, sync, main = begin(asking, "print('never')", line)
    assert finish(pod, sync, main) != 0
    status = asking.status()
    assert (status.state, status.reason, status.started) == ("FAILED", Reason.REQUIREMENTS_FAILED, 0.0)
    assert "pip-requirements.txt cannot be installed: " in status.message and words in status.message
    assert "PIP_INDEX_URL" in status.hint
    assert b"never" not in asking.log() and words.encode() in asking.log()


def test_what_the_image_has_stays_as_it_is(asking, tmp_path):
    image = tmp_path / "image"
    image.mkdir()
    make_wheel(image, "alpha", "2.5")
    make_wheel(tmp_path / "wheels", "alpha", "2.6")
    asking.python(f'PYTHONPATH=$PYTHONPATH:{image}/alpha-2.5-py2.py3-none-any exec {sys.executable} "$@"')
    unpacked = image / "alpha-2.5-py2.py3-none-any"
    zipfile.ZipFile(image / "alpha-2.5-py2.py3-none-any.whl").extractall(unpacked)
    pod, sync, main = begin(asking, "import alpha, beta; print(alpha.version)", "alpha", "beta")
    assert finish(pod, sync, main) == 0, pod.stdout.read_text()
    assert asking.log().splitlines()[-1] == b"2.5"
    pod, sync, main = begin(asking, "print('never')", "alpha>=2.6")
    assert finish(pod, sync, main) != 0
    assert "alpha" in asking.status().message


@pytest.mark.parametrize(("shell", "how"), list(zip(SHELLS, itertools.cycle(["cancel", "pod"]), strict=False)))
def test_an_installation_can_be_ended(asking, shell, how):
    asking.python(f'case "$*" in *mlctl_install*) echo busy; exec sleep 600;; esac; exec {sys.executable} "$@"')
    pod, sync, main = begin(asking, "print('never')", "beta", shell=shell)
    wait_until(lambda: pod.stdout.read_bytes() == b"busy\n")
    wait_until(lambda: asking.status() and asking.status().message == "installing pip-requirements.txt")
    if how == "cancel":
        asking.store.put("jobs/demo/V0001/cancel.json", b"{}")
    else:
        main.terminate()
    assert main.wait(WAIT) == 143
    sync.terminate()
    sync.wait(WAIT)
    state = {"cancel": "CANCELLED", "pod": "FAILED"}[how]
    assert asking.status().state == state and asking.log() == b"busy\n"


@pytest.mark.parametrize("version", pythons("2.7", "3.6"))
def test_what_the_image_has_under_another_name_is_not_installed_again(asking, version):
    use(asking, version)
    script = "import needy\ntry:\n    import beta\nexcept ImportError:\n    print('no beta')"
    pod, sync, main = begin(asking, script, "needy", provided=("beta==2.1",))
    assert finish(pod, sync, main) == 0, pod.stdout.read_text()
    assert asking.log().splitlines()[-1] == b"no beta"


@pytest.mark.parametrize("bundled", [True, False], ids=["with ensurepip", "without"])
def test_a_python_without_pip_takes_the_one_for_new_environments(asking, tmp_path, bundled):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    if not bundled:
        site = next((tmp_path / "bare").glob("lib/python*/site-packages"))
        (site / "sitecustomize.py").write_text("import sys; sys.modules['ensurepip'] = None")
    asking.python(f'exec {tmp_path}/bare/bin/python "$@"')
    pod, sync, main = begin(asking, "import beta; print(beta.version)", "beta")
    assert (finish(pod, sync, main) == 0) == bundled
    assert bundled or "has no pip" in asking.status().message
