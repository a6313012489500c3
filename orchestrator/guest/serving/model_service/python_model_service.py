"""Services of scikit-learn and XGBoost models."""

import json
import pickle

from model_service.model_service import SingleNodeService


class XgSklServingBaseService(SingleNodeService):
    """A model in a file `*.m`, of joblib, pickle or XGBoost; `_preprocess` gets the text of the JSON that came.

    Attributes:
        model_path: The file of the model, not its folder.
    """

    _model = None

    def _preprocess(self, data):
        return [list(row.values()) if isinstance(row, dict) else row for row in json.loads(data)["data"]["req_data"]]

    def _inference(self, data):
        import numpy as np

        if self._model is None:
            self._model = _load(self.model_path)
        found = self._model.predict(np.asarray(data, dtype=float))
        return [{"predictresult": value} for value in np.asarray(found).tolist()]

    def _postprocess(self, data):
        return {"data": {"resp_data": data}}


def _load(path):
    try:
        import joblib

        return joblib.load(path)
    except ImportError:
        pass
    try:
        with open(path, "rb") as file:
            return pickle.load(file)
    except pickle.UnpicklingError:
        import xgboost

        model = xgboost.Booster()
        model.load_model(path)
        return _Booster(model)


class _Booster(object):
    """XGBoost's own kind of model, asked as those of scikit-learn."""

    def __init__(self, model):
        self._model = model

    def predict(self, rows):
        import xgboost

        return self._model.predict(xgboost.DMatrix(rows))
