"""Services of scikit-learn and XGBoost models."""

import json

from mlctl_model import estimators

from model_service.model_service import SingleNodeService

PREDICT = "predict"
ASKED = (PREDICT, "predict_proba")  # what a model can be asked for by name, as far as it has it
FORM = '{"data": {"req_data": [{"first column": 1.5, "second column": 2}]}}'


class XgSklServingBaseService(SingleNodeService):
    """A model in a file, of joblib, pickle or XGBoost; `_preprocess` gets the text of the JSON that came.

    Attributes:
        model_path: The file of the model, not its folder.
        model: What is in it, with scikit-learn's `predict`; None where a subclass has its own `_inference`, and loads
            the model itself.
    """

    model = None

    def __init__(self, model_name, model_path):
        super(XgSklServingBaseService, self).__init__(model_name, model_path)
        if type(self)._inference is XgSklServingBaseService._inference:
            self.model = estimators.load(model_path)

    def _preprocess(self, data):
        try:
            rows = json.loads(data)["data"]["req_data"]
        except (KeyError, TypeError):
            rows = None
        if not isinstance(rows, list) or not rows or not all(isinstance(row, (dict, list)) for row in rows):
            raise ValueError("the model takes rows, as in %s" % FORM)
        return rows

    def _inference(self, data):
        table = estimators.table_of(data, estimators.columns_of(self.model))
        return [{"predictresult": value} for value in estimators.array_of(self.model.predict(table)).tolist()]

    def _postprocess(self, data):
        return {"data": {"resp_data": data}}

    def predict(self, inputs, outputs=None, signature=None):
        """Return what the model makes of rows: of one array of two dimensions, or of an array for each column."""
        if self.model is None:
            return super(XgSklServingBaseService, self).predict(inputs, outputs, signature)
        unknown = sorted(set(outputs or ()) - set(self._outputs()))
        if unknown:
            raise ValueError("the model's outputs are %s, not %s" % (", ".join(self._outputs()), ", ".join(unknown)))
        columns = estimators.columns_of(self.model)
        table = estimators.table_of(estimators.rows_of(inputs), columns)
        return {name: estimators.array_of(getattr(self.model, name)(table)) for name in outputs or [PREDICT]}

    def describe(self):
        """Return the shape of the rows that the model takes, and what it can be asked for."""
        if self.model is None:
            return super(XgSklServingBaseService, self).describe()
        width = estimators.width_of(self.model)
        kind = estimators.type_of(self.model)
        return {
            "inputs": [{"name": "input", "dtype": "float64", "shape": [-1, width]}],
            "outputs": [
                {"name": name, "dtype": kind if name == PREDICT else "float64", "shape": None}
                for name in self._outputs()
            ],
        }

    def _outputs(self):
        return [name for name in ASKED if hasattr(self.model, name)]
