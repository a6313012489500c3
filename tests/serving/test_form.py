"""Forms with files, as clients make them and as nobody should."""

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.serving.form import PARTS, FormError, read_form

KIND = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="7.png"\r\n\r\n'
names = st.text(st.characters(exclude_characters='"\\%;', exclude_categories=["C"]), min_size=1)
files = st.dictionaries(names, st.tuples(names, st.binary()), min_size=1)
fields = st.dictionaries(names, st.text(), max_size=3)


@given(files, fields)
def test_what_a_client_sends_is_there(sent, said):
    request = httpx.Request("POST", "http://here/", files=sent, data={name: said[name] for name in said.keys() - sent})
    found = read_form(request.headers["Content-Type"], request.read())
    wanted = {field: {name: data} for field, (name, data) in sent.items()}
    assert found == wanted | {name: {name: said[name].encode()} for name in said.keys() - sent}


def test_several_files_of_one_field():
    assert read_form(KIND, PART + b"a\r\n" + PART.replace(b"7", b"8") + b"\r\n--b--") == {
        "image": {"7.png": b"a", "8.png": b""}
    }


def test_parts_of_one_name_are_all_there():
    again = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n'
    body = PART + b"a\r\n" + PART + b"b\r\n" + PART + b"c\r\n" + again + b"1\r\n" + again + b"2\r\n--b--"
    assert read_form(KIND, body) == {
        "image": {"7.png": b"a", "7 (2).png": b"b", "7 (3).png": b"c"},
        "x": {"x": b"1", "x (2)": b"2"},
    }


@pytest.mark.parametrize(
    ("kind", "body", "message"),
    [
        ("multipart/form-data", PART + b"\r\n--b--", "names no boundary"),
        (KIND, b"", "its last boundary is missing"),
        (KIND, PART + b"cut o", "its last boundary is missing"),
        (KIND, b"{}", "cannot be read"),
        (KIND, b"--b--\r\n", "has no file"),
        (KIND, b"--b\r\n\r\nx\r\n--b--", "has no name"),
        (KIND, (PART + b"\r\n") * (PARTS + 1) + b"--b--", f"more than {PARTS} parts"),
    ],
)
def test_what_is_no_form_is_told(kind, body, message):
    with pytest.raises(FormError, match=message):
        read_form(kind, body)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_are_refused(data):
    for body in (data, PART + data, PART + data + b"\r\n--b--", b"--b\r\n" + data + b"\r\n\r\n\r\n--b--"):
        try:
            assert read_form(KIND, body)
        except FormError:
            continue
