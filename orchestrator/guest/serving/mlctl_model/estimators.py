"""Models of scikit-learn and XGBoost: their files, and tables for them."""

import pickle

BOOSTERS = (b"{", b"binf", b"bs64")  # what XGBoost's own files begin with: JSON and UBJSON, and what came before


def load(path):
    """Return the model of a file, with scikit-learn's `predict`."""
    with open(path, "rb") as file:
        data = file.read()
    if data.startswith(BOOSTERS):
        return Booster(data)
    try:
        import joblib
    except ImportError:
        return pickle.loads(data)
    return joblib.load(path)


class Booster(object):
    """XGBoost's own kind of model, asked as those of scikit-learn."""

    def __init__(self, data):
        import xgboost

        # Not by its name: from that XGBoost would take what is in it.
        self._model = xgboost.Booster(model_file=bytearray(data))
        self.n_features_in_ = self._model.num_features()
        self.feature_names_in_ = self._model.feature_names or []

    def predict(self, rows):
        """Return what its objective gives for each row: a number, or one for each class."""
        import xgboost

        return self._model.predict(xgboost.DMatrix(rows))


def columns_of(model):
    """Return the names of the columns that a model learned from, in their order; none if they had no names."""
    return [str(name) for name in getattr(model, "feature_names_in_", ())]


def width_of(model):
    """Return how many columns a model takes; -1 if it does not tell."""
    return int(getattr(model, "n_features_in_", -1))


def type_of(model):
    """Return the type of what a model predicts."""
    if isinstance(model, Booster):
        return "float32"
    classes = getattr(model, "classes_", None)
    return "float64" if classes is None or isinstance(classes, list) else array_of(classes).dtype.name


def rows_of(inputs):
    """Return rows of arrays by name: of one with two dimensions, or of a column each.

    Raises:
        ValueError: They are neither.
    """
    arrays = list(inputs.values())
    if len(arrays) == 1 and arrays[0].ndim == 2:
        return arrays[0].tolist()
    if len({array.size for array in arrays}) != 1 or any(array.size != len(array) for array in arrays):
        shapes = ", ".join(str(list(array.shape)) for array in arrays)
        raise ValueError(
            "the model takes an array of rows, or an array of the same length for each column, not %s" % shapes
        )
    return [dict(zip(inputs, row)) for row in zip(*(array.ravel().tolist() for array in arrays))]


def table_of(rows, columns):
    """Return rows as a model takes them: a DataFrame if its columns have names, else an array.

    Args:
        rows: Lists of values, or dicts of them by column; with other names than the model's they count as they stand.
        columns: Names of the model's, if it has some.
    """
    import numpy as np

    rows = [_ordered(row, columns) if isinstance(row, dict) else row for row in rows]
    rows = [[value.decode("utf-8") if isinstance(value, bytes) else value for value in row] for row in rows]
    if columns:
        wrong = next((len(row) for row in rows if len(row) != len(columns)), None)
        if wrong is not None:
            raise ValueError(
                "the model takes %d columns, %s, and a row has %d" % (len(columns), ", ".join(columns), wrong)
            )
        import pandas

        return pandas.DataFrame(rows, columns=columns)
    try:
        return np.asarray(rows, dtype=float)
    except (TypeError, ValueError):
        if len({len(row) for row in rows}) > 1:
            raise ValueError("the rows differ in their number of columns")
        return np.asarray(rows, dtype=object)  # words, for a model that takes some


def _ordered(row, columns):
    names, known = set(row), set(columns)
    if names == known:
        return [row[name] for name in columns]
    if names & known:
        message = "the model's columns are %s, and %s came"
        raise ValueError(message % (", ".join(columns), ", ".join(row)))
    return list(row.values())


def array_of(values):
    """Return values as an array that can be sent: of numbers, or of text."""
    import numpy as np

    array = np.asarray(values)
    return array.astype(str) if array.dtype == object else array
