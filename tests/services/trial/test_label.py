"""What answers say that a picture shows."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.services.trial.label import label_of


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ({"predicted_label": "7", "scores": [["3", "0.9"]]}, "7"),
        ({"mnist_result": [4]}, "4"),
        ({"scores": [0.1, 0.7, 0.2]}, "1"),
        ([["2", 0.1], ["cat", "0.8"]], "cat"),
        ([{"predictresult": 3.0}], "3"),
        ([{"probability": 0.1, "class": 2}, {"probability": 0.9, "class": 7}], "7"),
        ({"predictions": [[0.0, 0.0, 1.0]]}, "2"),
        (" nine ", "nine"),
        (5, "5"),
    ],
)
def test_a_label_is_found(answer, label):
    assert label_of(answer) == label


@pytest.mark.parametrize("answer", [None, True, "", {}, [], 0.5, {"a": 1, "b": 2}, [["a", "x"], ["b", "y"]]])
def test_where_there_is_none_none_is_made_up(answer):
    assert label_of(answer) is None


@settings(max_examples=50)  # they are large
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_answer_is_taken(answer):
    found = label_of(answer)
    assert found is None or isinstance(found, str)
