"""What a model function returns, and the words for modes."""


class ModeKeys(object):
    """What a run, or a call of the script's functions, is for."""

    TRAIN = "train"
    EVAL = "eval"
    PREDICT = "predict"
    EXPORT = "export"


class ExportKeys(object):
    """What a model is exported for."""

    TF_SERVING = "tf_serving"


class ExportSpec(object):
    """What of a model is exported.

    Args:
        inputs_dict: Tensors by the names that requests use.
        outputs_dict: Tensors by the names that answers use.
        version: Name of the folder below `log_dir`; -1 is the next free number.
    """

    def __init__(self, inputs_dict, outputs_dict, version=-1):
        self.inputs_dict = inputs_dict
        self.outputs_dict = outputs_dict
        self.version = version


class ModelSpec(object):
    """A model, as the script's `model_fn` describes it.

    Args:
        loss: What training makes small: a tensor, or a list of tensors to be added.
        var_scopes: Names of variable scopes; if given, only their variables are trained.
        log_info: Tensors of one number each, by name: for the log and for summaries.
        output_info: Tensors by name, for `output_fn`.
        export_spec: An ExportSpec.
        hooks: Of `tf.train.SessionRunHook`.
    """

    def __init__(self, loss=None, var_scopes=None, log_info=None, output_info=None, export_spec=None, hooks=None):
        self.loss = loss
        self.var_scopes = var_scopes
        self.log_info = log_info or {}
        self.output_info = output_info or {}
        self.export_spec = export_spec
        self.hooks = hooks or []
