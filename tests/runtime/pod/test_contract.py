"""A script sees the same on this machine and in a pod (CONTRACT, section 1)."""

import json
from pathlib import Path

from orchestrator import config
from orchestrator.backends.local.rundir import RunDir
from tests.jobs.conftest import Project, project  # noqa: F401  (a fixture)
from tests.runtime.pod.conftest import Pod
from tests.waiting import wait_until

LOOK = """
    import json, signal
    import beside
    seen = {
        'argv': sys.argv,
        'folder': os.getcwd(),
        'environment': dict(os.environ),
        'beside': beside.__file__,
        'files': sorted(os.path.join(path, file) for path, _, files in os.walk(data_url) for file in files),
        'output': os.listdir(train_url),
        'stdin': sys.stdin.read(),
        'terminal': sys.stdout.isatty(),
        'interrupt': signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        'terminate': signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        'group': os.getpgid(0) == os.getpid() == os.getsid(0),
        'cache': os.access(os.environ['DLS_LOCAL_CACHE_PATH'], os.W_OK),
    }
    print(json.dumps(seen))
"""
# Whose values are the machine's or the image's, or a shell's own.
MACHINE = {"PATH", "HOME", "USER", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE", "FROM_IMAGE", "MLCTL_SHARED"}


def look_at(text: str, root: Path) -> dict:
    """Return what a script saw, with the same name for the folder of its run."""
    return json.loads(text.replace(str(root), "ROOT"))


def test_a_script_sees_the_same(project: Project, make_job):  # noqa: F811
    project.script(LOOK)
    (project.folder / "code" / "beside.py").write_text("")
    (project.folder / "data").mkdir()
    (project.folder / "data" / "words").write_text("to read")
    view = project.run(
        data="./data", parameters={"num_epochs": 8, "text": "it's\n$HOME"}, env={"OWN": "\"'\\ ä", "DLS_APP_URL": "own"}
    )
    here = look_at(project.log(view).decode(), RunDir(view.record.run).folder)

    job = make_job(config.get_context().store)
    pod: Pod = job.pod()
    assert pod.fetch() == 0, pod.said
    main = pod.main()
    wait_until(lambda: pod.volume.exit() is not None)
    pod.volume.ask("saved")
    assert main.wait() == 0
    there = look_at(pod.stdout.read_text(), pod.volume.folder)

    here_environment, there_environment = here.pop("environment"), there.pop("environment")
    assert here == there
    ours = {name for name in here_environment if name in there_environment} - MACHINE
    assert {name: here_environment[name] for name in ours} == {name: there_environment[name] for name in ours}
    contract = {name for name in here_environment if name.startswith(("MLCTL_", "DLS_", "MA_", "VC_", "BATCH_"))}
    contract = {name for name in contract if not name.startswith("MLCTL_TEST_")}
    own = {"MLCTL_RUN_ID", "MLCTL_WORKER", "MLCTL_HOME", "MLCTL_CACHE", "MLCTL_CPUS", "MLCTL_ENGINES"}
    assert contract - MACHINE - own <= ours
    assert {"PYTHONPATH", "PYTHONUNBUFFERED", "OWN"} <= ours
    assert there_environment["FROM_IMAGE"] == pod.mark.decode()


def test_what_the_image_has_on_its_python_path_stays(job):
    job.submit("print(os.environ['PYTHONPATH'])")
    pod = job.pod()
    pod.prepare()
    pod.image["PYTHONPATH"] = "/opt/caffe/python"
    main = pod.main()
    wait_until(lambda: pod.volume.exit() is not None)
    pod.volume.ask("saved")
    main.wait()
    work, guest = pod.volume.job_dir, pod.volume.guests / "moxing"
    assert pod.stdout.read_text() == f"{work}/code:{work}:{guest}:/opt/caffe/python\n"
