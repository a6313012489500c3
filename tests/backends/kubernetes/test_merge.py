import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.backends.kubernetes.merge import MERGE_KEYS, strategic_merge
from orchestrator.errors import SpecError
from tests.kubernetes_schemas import VERSIONS, merge_keys


def merge(base, patch):
    return strategic_merge(base, patch, "pod")


def names(items):
    return [item["name"] for item in items]


@pytest.mark.parametrize("version", VERSIONS)
def test_lists_are_merged_by_the_keys_of_the_published_schemas(version):
    keys = merge_keys(version)
    # Clusters newer than the oldest merge further lists; a Job's template never has evictionResponders.
    published = {**keys["PodSpec"], **keys["Container"]}
    assert {field: key for field, key in published.items() if field != "evictionResponders"} == MERGE_KEYS


@pytest.mark.parametrize(
    ("base", "patch", "merged"),
    [
        ({"a": 1, "b": 2}, {"a": 3, "c": 4}, {"a": 3, "b": 2, "c": 4}),
        ({"a": 1}, {"a": None, "b": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": None, "d": {"e": 1, "f": None}}}, {"a": {"c": 2, "d": {"e": 1}}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "replace", "c": 2}}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": {"$patch": "delete"}}, {"a": {}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"tolerations": [{"key": "a"}]}, {"tolerations": [{"key": "b"}]}, {"tolerations": [{"key": "b"}]}),
        ({"nodeSelector": {"a": "1"}}, {"nodeSelector": {"b": "2"}}, {"nodeSelector": {"a": "1", "b": "2"}}),
        (
            {"containers": [{"name": "main", "image": "x", "env": [{"name": "A", "value": "1"}]}]},
            {"containers": [{"name": "main", "tty": True, "env": [{"name": "A", "value": "2"}]}]},
            {"containers": [{"name": "main", "image": "x", "env": [{"name": "A", "value": "2"}], "tty": True}]},
        ),
        (
            {"volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]},
            {"volumes": [{"name": "a", "$patch": "delete"}]},
            {"volumes": [{"name": "b", "emptyDir": {}}]},
        ),
        (
            {"volumes": [{"name": "a", "emptyDir": {}}]},
            {"volumes": [{"name": "a", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]},
            {"volumes": [{"name": "a", "secret": {"secretName": "s"}}]},
        ),
        (
            {"volumes": [{"name": "a", "emptyDir": {}}]},
            {"volumes": [{"$patch": "replace"}, {"name": "b", "emptyDir": {}}]},
            {"volumes": [{"name": "b", "emptyDir": {}}]},
        ),
        (
            {"containers": [{"name": "a", "volumeMounts": [{"mountPath": "/x", "name": "v"}]}]},
            {"containers": [{"name": "a", "volumeMounts": [{"mountPath": "/x", "name": "v", "subPath": "s"}]}]},
            {"containers": [{"name": "a", "volumeMounts": [{"mountPath": "/x", "name": "v", "subPath": "s"}]}]},
        ),
    ],
)
def test_what_becomes_of_a_patch(base, patch, merged):
    before = copy.deepcopy((base, patch))
    assert merge(base, patch) == merged
    assert (base, patch) == before


def test_what_is_new_comes_first_and_named_items_order_it():
    base = {"initContainers": [{"name": "fetch"}, {"name": "sync"}]}
    assert names(merge(base, {"initContainers": [{"name": "mine"}]})["initContainers"]) == ["mine", "fetch", "sync"]
    patch = {"initContainers": [{"name": "fetch"}, {"name": "mine"}]}
    assert names(merge(base, patch)["initContainers"]) == ["fetch", "mine", "sync"]
    patch = {"initContainers": [{"name": "sync"}, {"name": "mine"}]}
    assert names(merge(base, patch)["initContainers"]) == ["fetch", "sync", "mine"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"containers": {"name": "main"}}, "`pod.containers` must be a list of mappings"),
        ({"containers": ["main"]}, "`pod.containers` must be a list of mappings"),
        ({"containers": [{"image": "x"}]}, r"`pod.containers\[0\]` has no `name`"),
        (
            {"containers": [{"name": "main", "env": [{"value": "x"}]}]},
            r"`pod.containers\[main\].env\[0\]` has no `name`",
        ),
        ({"securityContext": {"$patch": "remove"}}, r"`pod.securityContext.\$patch` must be `delete`, "),
        ({"$setElementOrder/containers": []}, r"directive \$setElementOrder/containers, which is not understood"),
        ({"volumes": [{"name": "a", "$retainKeys": "x"}]}, r"`pod.volumes\[a\].\$retainKeys` must be a list"),
    ],
)
def test_what_cannot_be_merged_is_told_with_its_place(patch, message):
    with pytest.raises(SpecError, match=message):
        merge({"containers": [{"name": "main"}]}, patch)


SCALARS = st.one_of(st.integers(0, 3), st.sampled_from(["a", "b"]))
ITEMS = st.dictionaries(st.sampled_from(["x", "y"]), SCALARS, max_size=2)
LISTS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), ITEMS, max_size=4).map(
    lambda found: [{"name": name, **item} for name, item in found.items()]
)
PODS = st.recursive(
    st.dictionaries(st.sampled_from(["p", "q"]), SCALARS, max_size=2),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"m": inner, "env": LISTS, "volumes": LISTS, "args": st.lists(SCALARS)}
    ),
    max_leaves=4,
)


@given(PODS, PODS)
def test_merging_twice_is_merging_once(base, patch):
    once = merge(base, patch)
    assert merge(once, patch) == once


@given(PODS)
def test_nothing_changes_nothing(base):
    assert merge(base, {}) == base
    assert merge(base, base) == base
    assert merge({}, base) == base


@given(PODS, PODS)
def test_what_the_patch_says_holds_and_the_rest_stays(base, patch):
    holds(base, patch, merge(base, patch))


def holds(base, patch, merged):
    assert set(merged) == {*base, *patch}
    for key, value in merged.items():
        if key not in patch:
            assert value == base[key]
        elif key in ("env", "volumes"):
            before, wanted = ({item["name"]: item for item in side.get(key, [])} for side in (base, patch))
            assert {item["name"]: item for item in value} == {
                name: {**before.get(name, {}), **wanted.get(name, {})} for name in {*before, *wanted}
            }
        elif isinstance(value, dict):
            there = base.get(key)
            holds(there if isinstance(there, dict) else {}, patch[key], value)
        else:
            assert value == patch[key]
