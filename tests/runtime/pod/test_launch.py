"""The launcher, with every shell that is here; a test says what sync would."""

import os
import signal
from pathlib import Path

import pytest

from tests.runtime.pod.conftest import SHELLS, STUBBORN, WAIT
from tests.waiting import wait_until

pytestmark = pytest.mark.parametrize("shell", SHELLS)


def launch(job, shell, script, **fields):
    job.submit(script, **fields)
    pod = job.pod()
    pod.prepare()
    return pod, pod.main(shell)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def end(pod, main, *, told="saved") -> int:
    wait_until(lambda: pod.volume.exit() is not None)
    pod.volume.ask(told)
    return main.wait(WAIT)


@pytest.mark.parametrize("code", [0, 3])
def test_exit_codes_come_through(job, shell, code):
    pod, main = launch(job, shell, f"print('hello'); sys.exit({code})")
    wait_until(lambda: pod.volume.exit() is not None)
    assert main.poll() is None  # it waits for the output to be saved
    assert end(pod, main) == code
    told = pod.volume.exit()
    assert (told.cause, told.code, told.signal) == ("exit", code, 0)
    assert told.started <= told.finished and told.cpu_seconds > 0 and told.peak_memory >= 0
    assert pod.stdout.read_bytes() == pod.volume.log.read_bytes() == b"hello\n"


def test_a_script_that_ended_well_and_whose_output_is_lost_is_a_failure(job, shell):
    assert end(*launch(job, shell, "print('hello')"), told="lost") == 75
    pod, main = launch(job, shell, "sys.exit(3)")
    assert end(pod, main, told="lost") == 3


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_signals_come_through(job, shell, number):
    pod, main = launch(job, shell, f"os.kill(os.getpid(), {int(number)})")
    assert end(pod, main) == 128 + number
    assert pod.volume.exit().signal == number
    assert pod.stdout.read_bytes() == b""  # a shell's own words do not get into the log


def test_sigterm_reaches_the_script_which_may_take_its_time(job, shell):
    pod, main = launch(
        job,
        shell,
        """
        def stop(number, frame):
            print('asked', flush=True)
            time.sleep(1)
            print('saved', flush=True)
            sys.exit(7)
        signal.signal(signal.SIGTERM, stop)
        print('ready', flush=True)
        while True: time.sleep(0.1)
        """,
    )
    wait_until(lambda: pod.stdout.read_bytes() == b"ready\n")
    main.terminate()
    wait_until(lambda: b"asked" in pod.stdout.read_bytes())
    main.terminate()  # it does not mind being asked twice
    assert end(pod, main) == 7
    told = pod.volume.exit()
    assert (told.cause, told.code) == ("stopped", 7)
    assert pod.stdout.read_bytes().startswith(b"ready\nasked\n") and b"saved\n" in pod.stdout.read_bytes()


def test_who_does_not_end_when_asked_is_killed_after_the_grace(job, shell):
    job.submit(STUBBORN)
    pod = job.pod()
    pod.prepare()
    pod.image["MLCTL_GRACE"] = "1"
    main = pod.main(shell)
    wait_until(lambda: pod.stdout.read_bytes() == b"ready\n")
    main.terminate()
    assert end(pod, main) == 137


def test_sync_can_end_the_script(job, shell):
    pod, main = launch(job, shell, "print('ready', flush=True); time.sleep(600)")
    wait_until(lambda: pod.stdout.read_bytes() == b"ready\n")
    pod.volume.ask("term")
    assert end(pod, main) == 143
    assert pod.volume.exit(unless="timeout").cause == "timeout"
    pod, main = launch(job, shell, STUBBORN)
    wait_until(lambda: pod.stdout.read_bytes() == b"ready\n")
    pod.volume.ask("term")
    pod.volume.ask("kill")
    assert end(pod, main) == 137


def test_children_that_the_script_leaves_end_with_it(job, shell):
    pod, main = launch(
        job,
        shell,
        """
        import subprocess
        source = 'import time\\nwhile True: print(1, flush=True); time.sleep(.01)'
        child = subprocess.Popen([sys.executable, '-c', source])
        daemon = subprocess.Popen(['sleep', '600'], start_new_session=True)
        time.sleep(0.5)
        print(child.pid, daemon.pid)
        """,
    )
    assert end(pod, main) == 0
    child, daemon = next(line.split() for line in pod.volume.log.read_text().splitlines() if " " in line)
    os.kill(int(daemon), signal.SIGKILL)  # in a container it ends with the launcher
    assert not is_alive(int(child))
    assert pod.stdout.read_bytes() == pod.volume.log.read_bytes()


def test_much_output_comes_through_unchanged(job, shell):
    pod, main = launch(
        job,
        shell,
        """
        data = bytes(range(256)) * 4096
        for _ in range(100):
            sys.stdout.buffer.write(data)
        sys.stdout.buffer.write(b'no end of line')
        """,
    )
    assert end(pod, main) == 0
    assert pod.stdout.stat().st_size == 100 * 2**20 + 14
    assert pod.stdout.read_bytes() == pod.volume.log.read_bytes()


def test_an_image_without_python_says_so(job, shell, tmp_path):
    job.submit("")
    pod = job.pod()
    pod.prepare()
    pod.only_tools(tmp_path / "tools")
    main = pod.main(shell)
    assert end(pod, main) == 127
    told = pod.volume.exit()
    assert told.cause == "not-started" and "neither python nor python3" in told.error


def test_python3_does_where_there_is_no_python(job, shell, tmp_path):
    job.submit("print('hello')")
    pod = job.pod()
    pod.prepare()
    (job.folder / "bin" / "python").rename(job.folder / "bin" / "python3")
    pod.only_tools(job.folder / "bin")
    main = pod.main(shell)
    assert end(pod, main) == 0
    assert pod.stdout.read_bytes() == b"hello\n"


def test_any_program_named_python_will_do(job, shell):
    job.python('echo "$#"; printf "%s\\n" "$@"')
    awkward = ["--a=it's", '--b="$(touch /tmp/no)`x`\\', "--c= ä\u2028ß\x81\x88 ", "--d=two\nlines", "--e=", "*"]
    pod, main = launch(job, shell, "", arguments=awkward)
    assert end(pod, main) == 0
    volume = pod.volume
    expected = [f"{volume.job_dir}/code/main.py", "--data_url=", f"--train_url={volume.output}/", *awkward]
    assert pod.stdout.read_text() == "\n".join([str(len(expected)), *expected, ""])


def test_the_folders_go_to_arguments_and_variables_of_the_scripts_own(job, shell):
    job.python('echo "$@" "$KEPT"')
    fields = {"urls": (), "arguments": ["--save=${train_url}m.pt"], "environment": {"KEPT": "in ${train_url}"}}
    pod, main = launch(job, shell, "", **fields)
    assert end(pod, main) == 0
    folder = f"{pod.volume.output}/"
    assert pod.stdout.read_text() == f"{pod.volume.job_dir}/code/main.py --save={folder}m.pt in {folder}\n"


def test_the_disk_may_be_full_when_the_script_ends(job, shell, small_disk):
    job.submit("f = open(given['train_url'] + 'big', 'wb', 0)\nwhile True: f.write(bytes(65536))")
    disk = small_disk("size=2m")
    pod = job.pod()
    pod.use(disk)
    pod.prepare()
    main = pod.main(shell)
    assert end(pod, main) == 1
    assert pod.volume.exit().code == 1
