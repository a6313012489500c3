"""A job's log through the product, from the kubelet and the store together."""

from tests.jobs.conftest import project  # noqa: F401
from tests.kubernetes.standin import Standin
from tests.kubernetes.test_jobs import Lab, lab  # noqa: F401

LINES = 150


def test_a_follow_is_whole_whatever_happens_to_connections_and_api_server(lab: Lab, standin: Standin) -> None:  # noqa: F811
    lab.script(f"""
        for number in range({LINES}):
            print("same", flush=True)
            print(number, end="\\r", flush=True)
            time.sleep(0.04)
        print("end", end="")
    """)
    view = lab.create()
    for number in range(6):
        standin.faults.cut_next("pods/log", 300 + 500 * number, clean=number % 2 == 0)
    got, away = b"", False
    for block in lab.client.jobs.logs(view.name, view.version, follow=True):
        got += block
        if len(got) > 400 and not away:
            away = True
            standin.down(seconds=3)
    assert got == b"".join(b"same\n%d\r" % number for number in range(LINES)) + b"end"
    assert got == lab.log(view)
