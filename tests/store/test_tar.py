"""What we write is what every tar reads."""

import io
import tarfile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.store.tar import BLOCK, END, file_header, padding

SEGMENT = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60)
PATHS = st.lists(SEGMENT.filter(lambda name: name not in (".", "..")), min_size=1, max_size=20).map("/".join)


@given(PATHS, st.binary(max_size=1500), st.integers(-(10**18), 10**20), st.booleans())
@example("d" * 99 + "/" + "e" * 100, b"x", 0, False)
@example("d" * 155 + "/" + "e" * 100, b"x", 0, False)
@example("d" * 156 + "/" + "e" * 100, b"x", 0, False)
@example("n" * 255, b"", 0, True)
@example("/".join(["s" * 50] * 20), b"x" * BLOCK, 0, True)
@example("é" * 50, b"x" * (BLOCK + 1), 1_234_567_890_123_456_789, False)
def test_a_file_is_read_back(path, data, mtime_ns, executable):
    header = file_header(path, len(data), mtime_ns, executable=executable)
    assert len(header) % BLOCK == 0
    archive = header + data + padding(len(data)) + END
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        (member,) = tar
        assert (member.name, member.size, member.isreg()) == (path, len(data), True)
        assert member.offset_data == len(header)
        assert member.mode == (0o755 if executable else 0o644)
        assert member.mtime == min(max(mtime_ns // 10**9, 0), 8**11 - 1)
        content = tar.extractfile(member)
        assert content is not None and content.read() == data


@pytest.mark.parametrize("length", range(980, 1010))
def test_the_length_of_a_pax_record_counts_its_own_digits(length):
    path = "é" + "x" * length
    with tarfile.open(fileobj=io.BytesIO(file_header(path, 0, 0, executable=False) + END)) as tar:
        assert tar.getnames() == [path]
