"""`mox.run`: train, evaluate, predict or export."""

from moxing import uncovered
from moxing.tensorflow import evaluate, export, train
from moxing.tensorflow.log import use_plain_lines
from moxing.tensorflow.specs import ModeKeys


def run(
    input_fn=None,
    model_fn=None,
    optimizer_fn=None,
    output_fn=None,
    run_mode=None,
    inter_mode=None,
    batch_size=None,
    auto_batch=True,
    log_dir=None,
    max_number_of_steps=0,
    checkpoint_path=None,
    log_every_n_steps=10,
    output_every_n_steps=0,
    save_summary_steps=100,
    save_model_secs=600,
    save_model_steps=None,
    export_model=False,
    **options
):  # fmt: skip
    """Run a model.

    Args:
        input_fn: `input_fn(run_mode)` returns the tensors of a sample (or of a batch, see `auto_batch`), or a
            `tf.data.Dataset`.
        model_fn: `model_fn(inputs, run_mode)` returns a ModelSpec.
        optimizer_fn: Returns an optimizer; see `get_optimizer_fn`.
        output_fn: `output_fn(outputs)` gets a list with the values of `output_info` of each step.
        run_mode: Of ModeKeys.
        inter_mode: Not covered.
        batch_size: Samples in a step of each GPU.
        auto_batch: Whether `input_fn` returns single samples, to be made batches of.
        log_dir: Folder or URL for checkpoints, summaries and the exported model. A checkpoint in it is gone on with.
        max_number_of_steps: Training ends at this global step, everything else after so many steps; 0: with the data.
        checkpoint_path: Folder, URL or prefix of the checkpoint that is evaluated, or that training begins with.
        log_every_n_steps: Steps between two lines of the log; 0: none.
        output_every_n_steps: Steps between two calls of `output_fn`; 0: one at the end.
        save_summary_steps: Steps between two summaries; 0: none.
        save_model_secs: Seconds between two checkpoints.
        save_model_steps: Steps between two checkpoints; then the seconds do not count.
        export_model: ExportKeys.TF_SERVING to export what has been trained, as `export_spec` says.
        options: Of MoXing, but not covered.

    Returns:
        The means of `log_info` in mode EVAL; else nothing.

    Raises:
        ValueError: An argument makes no sense, or is missing.
        NotCoveredError: An argument is one that mlctl's MoXing does not have.
    """
    unknown = sorted(name for name, value in dict(options, inter_mode=inter_mode).items() if value is not None)
    if unknown:
        raise uncovered.NotCoveredError(uncovered.message_for("mox.run(%s=...)" % unknown[0]))
    if input_fn is None or model_fn is None:
        raise ValueError("mox.run needs input_fn and model_fn")
    if batch_size is None and auto_batch:
        raise ValueError("mox.run needs batch_size")
    use_plain_lines()
    feed = (input_fn, model_fn, batch_size or 1, auto_batch)
    if run_mode == ModeKeys.TRAIN:
        if optimizer_fn is None:
            raise ValueError("mox.run needs optimizer_fn to train")
        save = {"steps": save_model_steps} if save_model_steps else {"secs": save_model_secs}
        every = {"log": log_every_n_steps, "summary": save_summary_steps, "output": output_every_n_steps}
        train.train(
            feed, optimizer_fn, output_fn, log_dir, max_number_of_steps, checkpoint_path, every, save, export_model
        )
        return None
    source = checkpoint_path or log_dir
    if run_mode in (ModeKeys.EVAL, ModeKeys.PREDICT):
        every = {"log": log_every_n_steps, "output": output_every_n_steps}
        return evaluate.evaluate(feed, run_mode, output_fn, source, max_number_of_steps, every)
    if run_mode == ModeKeys.EXPORT:
        export.export(feed, source, log_dir)
        return None
    raise ValueError("run_mode has to be one of mox.ModeKeys, not %r" % (run_mode,))
