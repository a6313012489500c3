"""What is sent for a row of a table."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.services.rows import MappingError, check_rule, row_request, rows_of, rule_of

# As in ModelArts' guide: the rows of `req_data` are columns of the table.
RULE = {
    "type": "object",
    "properties": {
        "data": {
            "type": "object",
            "properties": {
                "req_data": {
                    "type": "array",
                    "items": [
                        {
                            "type": "object",
                            "properties": {
                                "sepal": {"type": "number", "index": 0},
                                "kind": {"type": "string", "index": 2},
                            },
                        }
                    ],
                }
            },
        }
    },
}


def test_a_model_of_tables_takes_whole_rows():
    rule = rule_of({"model_type": "XGBoost"})
    check_rule(rule)
    assert sent(rule, ["5.1", " 3 ", "Ulm", "nan"]) == {"data": {"req_data": [[5.1, 3, "Ulm", "nan"]]}}
    with pytest.raises(UsageError, match="which column is which"):
        rule_of({"model_type": "MXNet"})


def sent(rule, row):
    request = row_request(rule, row)
    assert request.kind == "application/json"
    return json.loads(request.body)


def test_columns_go_where_the_rule_says():
    assert sent(RULE, ["5.1", "unused", " setosa "]) == {"data": {"req_data": [{"sepal": 5.1, "kind": "setosa"}]}}


def test_the_rule_is_in_the_models_config():
    config = {"apis": [{"request": {"Content-type": "application/json", "data": RULE}}]}
    assert rule_of(config) == RULE
    odd = ({"apis": one} for one in (None, {}, [None], [{"request": "x"}], [{"request": {"data": []}}]))
    for without in (*odd, {}, {"apis": [{"request": {"data": {"properties": {"images": {"type": "file"}}}}}]}):
        with pytest.raises(UsageError, match="does not say which column is which input"):
            rule_of(without)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("number"), st.floats(allow_nan=False, allow_infinity=False)),
            st.tuples(st.just("integer"), st.integers()),
            st.tuples(st.just("boolean"), st.booleans()),
            st.tuples(st.just("string"), st.text().map(str.strip)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_every_value_arrives(cells):
    rule = {"properties": {f"c{n}": {"type": kind, "index": n} for n, (kind, _) in enumerate(cells)}}
    check_rule(rule)
    row = [str(value) for _, value in cells]
    assert sent(rule, row) == {f"c{n}": value for n, (_, value) in enumerate(cells)}
    with pytest.raises(MappingError, match=f"there is no column {len(row) - 1}: the row has {len(row) - 1}"):
        row_request(rule, row[:-1])


@pytest.mark.parametrize(
    ("leaf", "cell", "message"),
    [
        ({"type": "number", "index": 0}, "five", "column 0 is 'five', which is no number"),
        ({"type": "number", "index": 0}, "nan", "column 0 is 'nan', which is no number"),
        ({"type": "number", "index": 0}, "-inf", "column 0 is '-inf', which is no number"),
        ({"type": "integer", "index": 0}, "1.5", "column 0 is '1.5', which is no integer"),
        ({"type": "boolean", "index": 0}, "maybe", "column 0 is 'maybe', which is no boolean"),
    ],
)
def test_a_cell_of_another_type_is_named(leaf, cell, message):
    with pytest.raises(MappingError, match=message):
        row_request(leaf, [cell])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ([], "a rule is a JSON object"),
        ({}, "without the number of its column"),
        ({"properties": {"x": {"type": "number"}}}, 'without the number of its column: {"type": "number"}'),
        ({"items": {"type": "number", "index": -1}}, "without the number of its column"),
        ({"items": {"type": "date", "index": 1}}, "unknown type 'date' for column 1"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused(rule, message):
    with pytest.raises(UsageError, match=message):
        check_rule(rule)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\ufeff"))


@given(st.lists(st.lists(CELL, min_size=1)), st.booleans())
def test_rows_are_what_was_written(rows, marked):
    table = io.StringIO(newline="")
    csv.writer(table).writerows(rows)
    assert [*rows_of(table.getvalue().encode("utf-8-sig" if marked else "utf-8"))] == rows


def test_what_is_no_table_is_told():
    with pytest.raises(UsageError, match="no table of CSV"):
        [*rows_of(b"\xff\xfe\x00")]
