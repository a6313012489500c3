"""A job shows itself in the same way on this machine and on a cluster; see `places` for what may differ."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orchestrator import config
from orchestrator.client import Client
from orchestrator.engines import ensure_environment, get_engine
from tests.buckets import Bucket
from tests.cli.conftest import Run, mlctl  # noqa: F401
from tests.jobs.conftest import project  # noqa: F401
from tests.kubernetes.places import LONGEST, MEASURED, SIZES, Place, same
from tests.kubernetes.standin import Image, Standin
from tests.kubernetes.standin.images import PATH
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401
from tests.waiting import wait_until

SPECS = Path(__file__).parents[2] / "job_specs"
AFTERWARDS = (
    ("job", "get", "{job}"),
    ("job", "get", "{job}", "-o", "json"),
    ("job", "events", "{job}", "-o", "json"),
    ("job", "list"),
)
MORE = (
    ("job", "wait", "{job}"),
    ("job", "wait", "{job}", "-o", "json"),
    ("logs", "{job}"),
    ("logs", "{job}", "--timestamps", "--tail", "1"),
    ("job", "outputs", "{job}"),
    ("job", "outputs", "{job}", "-o", "json"),
    ("job", "list", "-o", "json"),
    ("queue",),
    ("job", "cancel", "{job}"),
    ("job", "shell", "{job}", "--", "true"),
    ("job", "delete", "{job}", "--yes"),
    ("job", "get", "{job}"),
    ("job", "list"),
)


@pytest.fixture
def both(mlctl: Run, lab: Lab, bucket_url: str, s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> list[Place]:  # noqa: F811
    """Give the two places, each with a prefix of its own in the bucket."""
    ensure_environment(get_engine("plain-1"))  # only this machine would tell of it
    lab.change(store=f"{bucket_url}/there")
    stores = {"here": f"{bucket_url}/here", lab.context: f"{bucket_url}/there"}
    config.add_context(config.Context(name="here", store=stores["here"], endpoint=s3.endpoint))
    monkeypatch.chdir(lab.folder)
    return [Place(mlctl, name, store) for name, store in stores.items()]


def look_back(place: Place, job: str, *, fully: bool = True) -> None:
    """See all that is shown of a job that has ended."""
    for command in AFTERWARDS + MORE * fully:
        place.see(*(word.format(job=job) for word in command))


def follow(spec: str, job: str, *options: str, fully: bool = True) -> Callable[[Place], None]:
    """Return what a user does who creates a job, watches it, and looks back."""

    def story(place: Place) -> None:
        place.see("job", "create", spec, "--dry-run")
        place.see("job", "create", spec, "--follow", *options)
        look_back(place, job, fully=fully)

    return story


def test_a_script_that_fails(both: list[Place], lab: Lab) -> None:  # noqa: F811
    lab.script("""
        open(train_url + "partial.txt", "w").write("half")
        print("right: 0.5")
        print("about to fail", flush=True)
        sys.exit(3)
    """)
    lab.write(parameters={"num_epochs": 1}, metrics={"right": "right: (.*)"})
    shown = same(both, follow("job.yaml", "demo", fully=False))
    created = shown["job create job.yaml --follow"]
    assert created.code == 100 and created.out.endswith("about to fail") and "exit code 3" in created.err
    assert [event["reason"] for event in shown["job events demo -o json"].out] == ["Created", "Started", "Failed"]
    assert [Client(place.name).jobs.metrics("demo").find("right").last.value for place in both] == [0.5, 0.5]


@pytest.mark.journey
@pytest.mark.parametrize(
    ("script", "fields", "code"),
    [
        ("print('hello'); open(train_url + 'model', 'w').write('weights')", {}, 0),
        ("raise ValueError('no such digit')", {}, 100),
        ("import signal\nprint('x', flush=True)\nos.kill(os.getpid(), signal.SIGSEGV)", {}, 100),
        (
            "open(train_url + 'partial', 'w').write('half')\nsum(range(10**7))\ntime.sleep(600)",
            {"max_duration": "6s"},
            100,
        ),
    ],
    ids=["ends well", "raises", "dies of a signal", "takes too long"],
)
def test_a_job_that_ends_by_itself(both: list[Place], lab: Lab, script: str, fields: dict, code: int) -> None:  # noqa: F811
    lab.script(script)
    lab.write(**fields)
    assert same(both, follow("job.yaml", "demo"))["job create job.yaml --follow"].code == code


@pytest.mark.journey
def test_a_job_that_is_cancelled(both: list[Place], lab: Lab) -> None:  # noqa: F811
    lab.script("print('begun', flush=True)\nopen(train_url + 'partial', 'w').write('half')\ntime.sleep(600)")
    lab.write()

    def story(place: Place) -> None:
        place.see("job", "create", "job.yaml")
        follower = place.start("logs", "-f", "demo")
        assert follower.stdout and follower.stdout.readline() == "begun\n"
        jobs = Client(place.name).jobs
        wait_until(lambda: jobs.get("demo").status.state == "RUNNING")
        for command in (
            ("queue",),
            ("job", "get", "demo"),
            ("job", "outputs", "demo"),
            ("job", "delete", "demo", "-y"),
        ):
            place.see(*command)
        place.see("job", "wait", "demo", "--timeout", "1s")
        place.see("job", "cancel", "demo")
        out, err = follower.communicate(timeout=LONGEST)
        place.keep("logs -f demo", follower.returncode, out, err)
        look_back(place, "demo")

    shown = same(both, story)
    assert shown["job outputs demo"].code == 0 and shown["job wait demo"].code == 103
    assert shown["logs -f demo"].code == 0


@pytest.mark.journey
@pytest.mark.parametrize("name", ["mnist-mxnet", "mnist-pytorch"])
def test_a_ready_spec_as_it_is(both: list[Place], standin: Standin, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the number of epochs is another."""
    monkeypatch.delenv("MLCTL_ENGINES")
    spec = SPECS / f"{name}.yaml"
    engine = get_engine(yaml.safe_load(spec.read_text())["engine"])
    path = f"{ensure_environment(engine).parent}:{PATH}"
    standin.images.add(engine.name, Image(environment={"PATH": path}))
    for place in both:
        Client(place.name).datasets.import_("mnist")
        place.measured = MEASURED | SIZES
    shown = same(both, follow(str(spec), name, "-p", "num_epochs=1"))
    created = shown[f"job create {spec} --follow -p num_epochs=1"]
    assert created.code == 0 and "Finished" in created.out
