"""Several requests computed as one: their arrays are joined along the first dimension, the results are cut apart.

Only what has the same names, types and shapes is joined, and only by functions whose rows do not depend on each other.
"""


class CannotCutError(Exception):
    """The results do not have a row for each row that was given."""


def by_rows(function):
    """Mark an `_inference` of a base class: a subclass with its own is not joined."""
    function.by_rows = True
    return function


def groups(service, requests, given):
    """Give groups of requests that can be computed together, of two or more.

    Args:
        service: Of the model.
        requests: As they came.
        given: Makes what the service is given of a request.

    Yields:
        The requests' indexes, and a function that returns for each its value and whether it is still to be made plain.
    """
    found = {}
    for index, request in enumerate(requests):
        try:
            what, data = _prepared(service, request, given)
            key = (what, _form(data)) if what else None
        except Exception:  # noqa: BLE001  (it is told when the request is asked alone)
            continue
        if key:
            found.setdefault(key, []).append((index, data))
    for (what, _), members in found.items():
        if len(members) > 1:
            yield [index for index, _ in members], _computation(service, what, [data for _, data in members])


def _prepared(service, request, given):
    """Return what is done with a request, None if it cannot be joined, and the data for that."""
    if request["do"] == "predict":
        return ("predict", tuple(request.get("outputs") or ()), request.get("signature")), request["inputs"]
    kind = type(service)
    if kind.inference.__module__ != "model_service.model_service" or not getattr(kind._inference, "by_rows", False):
        return None, None
    return ("infer",), service._preprocess(given(request))


def _form(data):
    """Return what must be the same in data that is joined."""
    entries = sorted(data.items()) if isinstance(data, dict) else list(enumerate(data))
    if not entries or len({int(value.shape[0]) for _, value in entries}) != 1:
        raise ValueError("the inputs do not have the same number of rows")
    return tuple((name, str(value.dtype), tuple(value.shape[1:])) for name, value in entries)


def _computation(service, what, members):
    def compute():
        sizes = [_rows(data) for data in members]
        joined = _joined(members)
        if what[0] == "predict":
            result = service.predict(joined, list(what[1]) or None, what[2])
            return [(one, False) for one in _cut(result, sizes)]
        result = service._inference(joined)
        return [(service._postprocess(one), True) for one in _cut(result, sizes)]

    return compute


def _rows(data):
    return int(next(iter(data.values() if isinstance(data, dict) else data)).shape[0])


def _joined(members):
    if isinstance(members[0], dict):
        return {name: _concatenated([one[name] for one in members]) for name in members[0]}
    return [_concatenated(list(each)) for each in zip(*members)]


def _concatenated(arrays):
    package = type(arrays[0]).__module__.partition(".")[0]
    if package == "mxnet":
        import mxnet

        return mxnet.nd.concat(*arrays, dim=0)
    if package == "torch":
        import torch

        return torch.cat(arrays)
    import numpy

    return numpy.concatenate(arrays)


def _cut(result, sizes):
    """Return the rows of each request."""
    values = list(result.values()) if isinstance(result, dict) else result
    if any(len(value) != sum(sizes) for value in values):
        raise CannotCutError()
    parts, start = [], 0
    for size in sizes:
        stop = start + size
        if isinstance(result, dict):
            parts.append({name: value[start:stop] for name, value in result.items()})
        else:
            parts.append([value[start:stop] for value in result])
        start = stop
    return parts
