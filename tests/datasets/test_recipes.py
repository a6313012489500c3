"""The recipes make what other programs read."""

import gzip
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.datasets import recipes
from orchestrator.datasets.recipes import digits_csv, gzip_file, mnist_csv, read_bytes_csv


def read_idx(path):
    data = path.read_bytes()
    dimensions = data[3]
    shape = np.frombuffer(data, dtype=">u4", count=dimensions, offset=4)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


@given(
    st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=0, max_size=40),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([1, 7, 64, 1 << 20]),
)
def test_a_csv_of_bytes_is_read_as_numpy_reads_it(tmp_path_factory, rows, end, last_end, block):
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    text = end.join(["a,b,c", *(",".join(map(str, row)) for row in rows)]) + (end if last_end else "")
    path.write_text(text, newline="")
    before = recipes.BLOCK
    recipes.BLOCK = block
    try:
        assert read_bytes_csv(path).tolist() == [number for row in rows for number in row]
    finally:
        recipes.BLOCK = before


def test_mnist_becomes_four_idx_files(tmp_path):
    random = np.random.default_rng(0)
    tables = {}
    for name, rows in (("train.csv", 5), ("test.csv", 2)):
        tables[name] = random.integers(0, 256, (rows, 785), dtype=np.uint8)
        buffer = io.StringIO()
        np.savetxt(buffer, tables[name], fmt="%d", delimiter=",", header="label,...", comments="", newline="\r\n")
        (tmp_path / name).write_text(buffer.getvalue(), newline="")
    mnist_csv([tmp_path / "train.csv", tmp_path / "test.csv"], tmp_path)
    for part, name in (("train", "train.csv"), ("t10k", "test.csv")):
        images = read_idx(tmp_path / f"{part}-images-idx3-ubyte")
        assert images.shape == (len(tables[name]), 28, 28)
        assert (images.reshape(-1, 784) == tables[name][:, 1:]).all()
        assert (read_idx(tmp_path / f"{part}-labels-idx1-ubyte") == tables[name][:, 0]).all()


def test_digits_become_a_csv_and_two_idx_files(tmp_path):
    rows = [[n % 17 for n in range(64)] + [7], [0] * 64 + [0]]
    source = tmp_path / "digits.csv.gz"
    source.write_bytes(gzip.compress("".join(",".join(map(str, row)) + "\n" for row in rows).encode()))
    digits_csv([source], tmp_path)
    assert read_idx(tmp_path / "digits-images-idx3-ubyte").shape == (2, 8, 8)
    assert read_idx(tmp_path / "digits-labels-idx1-ubyte").tolist() == [7, 0]
    lines = (tmp_path / "digits.csv").read_text().splitlines()
    assert lines[0].startswith("pixel_0_0,pixel_0_1,")
    assert [list(map(int, line.split(","))) for line in lines[1:]] == rows


def test_the_same_bytes_give_the_same_archive(tmp_path):
    (tmp_path / "a").write_bytes(b"content" * 1000)
    (tmp_path / "b").write_bytes(b"content" * 1000)
    told: list[int] = []
    gzip_file(tmp_path / "a", tmp_path / "a.gz", on_bytes=told.append)
    assert sum(told) == 7000
    gzip_file(tmp_path / "b", tmp_path / "b.gz")
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
