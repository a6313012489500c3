"""Any thread may decode."""

import subprocess
import sys

# In a process of its own, which would be gone otherwise: new types each time, and threads that take turns all the time.
MANY = """
import sys, threading
import msgspec
from orchestrator.decoders import decoder

sys.setswitchinterval(1e-6)
data = b'{"inner": {"inner": {"a": 1, "b": "x", "c": [1.5]}, "more": {"y": 2}}, "name": "z"}'
for number in range(100):
    least = msgspec.defstruct(f"A{number}", [("a", int), ("b", str), ("c", list[float])])
    middle = msgspec.defstruct(f"B{number}", [("inner", least), ("more", dict[str, int])])
    most = msgspec.defstruct(f"C{number}", [("inner", middle), ("name", str)])
    barrier, found = threading.Barrier(8), []

    def work():
        barrier.wait()
        found.append(DECODE)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.inner.inner.c for one in found] == [[1.5]] * 8
"""


def test_a_type_is_learned_by_one_thread_at_a_time():
    source = MANY.replace("DECODE", "decoder(most).decode(data)")
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
