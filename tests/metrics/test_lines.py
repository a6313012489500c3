"""Lines as frameworks write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import UsageError
from orchestrator.metrics.lines import LineReader
from orchestrator.metrics.patterns import engine_lines, own_pattern
from orchestrator.metrics.styles import STYLES


def read(text: str | bytes, *styles: str, **own: str):
    """Return (name, step, value) of what is read."""
    reader = LineReader(engine_lines(styles), [own_pattern(*each) for each in own.items()])
    data = text if isinstance(text, bytes) else text.encode()
    return [
        (name, None if step is None else int(step), value)
        for line in data.splitlines(keepends=True)
        for name, column in reader.read(line).columns.items()
        for step, value in zip(column.steps, column.values, strict=True)
    ]


def test_mxnet():
    log = (
        "INFO:root:Epoch[0] Batch [100]\tSpeed: 43210.50 samples/sec\taccuracy=0.756250\n"
        "INFO:root:Epoch[0] Train-accuracy=0.91\n"
        "INFO:root:Epoch[0] Time cost=1.402\n"
        "INFO:root:Epoch[0] Validation-accuracy=0.962042\n"
        "Epoch[3] Batch [200-400]\tSpeed: 1.5e4 samples/sec\taccuracy=0.9\ttop_k_accuracy_5=nan\n"
    )
    assert read(log, "mxnet")[:-1] == [
        ("speed", None, 43210.5),
        ("accuracy", None, 0.75625),
        ("train_accuracy", 0, 0.91),
        ("validation_accuracy", 0, 0.962042),
        ("speed", None, 15000.0),
        ("accuracy", None, 0.9),
    ]
    assert math.isnan(read(log, "mxnet")[-1][2])


def test_epochs_as_examples_of_pytorch_write_them():
    log = (
        "Train Epoch: 2 [3200/60000 (5%)]\tLoss: 0.264917\n"
        "Test set: Average loss: 0.0492, Accuracy: 9831/10000 (98%)\n"
        "Epoch [1/5], Step [100/600], Loss: 0.2\n"
        "Epoch 3/10, Train Loss: 0.5, Val Acc: 0.75, Validation accuracy: 3/0\n"
        "Epoch: 4 | loss = 0.1 | lr=1e-3\n"
        "Epoch 5: val_loss=nope test_acc=0.5\n"
    )
    assert read(log, "epochs") == [
        ("loss", 63200, 0.264917),
        ("test_loss", 2, 0.0492),
        ("test_accuracy", 2, 0.9831),
        ("loss", 100, 0.2),
        ("train_loss", 3, 0.5),
        ("val_acc", 3, 0.75),
        ("validation_accuracy", 3, 3),
        ("loss", 4, 0.1),
        ("lr", 4, 0.001),
        ("test_acc", 5, 0.5),
    ]


def test_epochs_tell_how_far_it_is():
    reader = LineReader(engine_lines(["epochs"]), [])
    told = reader.read(
        b"Epoch [2/5], Step [300/600], Loss: 0.2\nEpoch 3/5, Loss: 0.1\nEpoch 0:  50%|##  | 1/2 loss=3\n"
    )
    assert (told.of, told.epochs) == (5, [1.5, 3])


def test_a_batch_of_so_many_tells_its_step():
    assert read("Epoch[2] Batch [100/400] loss=0.5 4312 samples/sec\n", "mxnet") == [("loss", 900, 0.5)]


def test_steps_of_tensorflow_and_moxing():
    log = (
        "step=100 loss=0.4321 accuracy=0.9000 31442 samples/sec\n"
        "INFO:tensorflow:step: 10(global step: 10)\tsample/sec: 42.087\tloss: 3.451\taccuracy: 0.312\n"
    )
    assert read(log, "steps") == [
        ("loss", 100, 0.4321),
        ("accuracy", 100, 0.9),
        ("sample/sec", 10, 42.087),
        ("loss", 10, 3.451),
        ("accuracy", 10, 0.312),
    ]


def test_estimators():
    log = (
        "INFO:tensorflow:loss = 0.43, step = 101 (1.234 sec)\n"
        "INFO:tensorflow:global_step/sec: 83.1\n"
        "INFO:tensorflow:Saving dict for global step 1000: accuracy = 0.92, global_step = 1000, loss = 0.3\n"
    )
    assert read(log, "steps", "estimator") == [
        ("loss", 101, 0.43),
        ("global_step/sec", None, 83.1),
        ("eval_accuracy", 1000, 0.92),
        ("eval_loss", 1000, 0.3),
    ]


def test_caffe():
    log = (
        "I1122 10:00:00.1 7 solver.cpp:218] Iteration 100 (50.1 iter/s, 2s/100 iters), loss = 0.21\n"
        "I1122 10:00:00.1 7 solver.cpp:237]     Train net output #0: loss = 0.21 (* 1 = 0.21 loss)\n"
        "I1122 10:00:01.1 7 solver.cpp:330] Iteration 500, Testing net (#0)\n"
        "I1122 10:00:01.1 7 solver.cpp:397]     Test net output #0: accuracy = 0.9801\n"
        "I1122 10:00:01.1 7 sgd_solver.cpp:105] Iteration 500, lr = 0.0096\n"
    )
    assert read(log, "caffe") == [
        ("loss", 100, 0.21),
        ("train_loss", None, 0.21),
        ("test_accuracy", 500, 0.9801),
        ("lr", 500, 0.0096),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "1875/1875 [==============================] - 4s 2ms/step - loss: 0.25 - val_accuracy: 0.95",
        "\x1b[1m1875/1875\x1b[0m \x1b[32m━━━━\x1b[0m \x1b[1m4s\x1b[0m 2ms/step - loss: 0.25 - val_accuracy: 0.95",
        "1875/1875 - 4s - 2ms/step - loss: 0.25 - val_accuracy: 0.95",
        "60000/60000 - 4s - loss: 0.25 - val_accuracy: 0.95",
    ],
)
def test_keras_tells_of_whole_epochs(line):
    bar = "   1/1875 [....] - ETA: 1:02 - loss: 2.4\b\b\b\b  32/1875 [>...] - ETA: 9s - loss: 2.3\r"
    log = f"Epoch 3/10\n{bar}{line}\n"
    assert read(log, "keras") == [("loss", 3, 0.25), ("val_accuracy", 3, 0.95)]


def test_lightning_and_transformers():
    bar = "Epoch 1:  50%|██   | 469/938 [00:05<00:05, 92.1it/s, v_num=0, train_loss=0.5]\r"
    end = "Epoch 1: 100%|█████| 938/938 [00:10<00:00, 92.1it/s, v_num=0, train_loss=0.31, val_acc=0.92]\n"
    assert read(bar + end, "lightning") == [("train_loss", 1, 0.31), ("val_acc", 1, 0.92)]
    first = "Epoch 1: 100%|███| 938/938 [00:10<00:00, 1.2s/it, loss=0.5, v_num=0, acc=0.9]\n"
    assert read(first, "lightning") == [("loss", 1, 0.5), ("acc", 1, 0.9)], "of its first edition"
    without = "Epoch 0: 100%|███| 8/8 [00:00<00:00, 62.60it/s, train_loss=0.633]\n"
    assert read(without, "lightning") == [("train_loss", 0, 0.633)], "without a logger"
    line = "{'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 1.0}\n"
    assert read(line, "transformers") == [("loss", None, 0.5), ("learning_rate", None, 5e-05)]


def test_xgboost():
    log = "[19:41:15] WARNING: a thing\n[0]\ttrain-mlogloss:1.4\tvalidation-merror:0.17\n[12]\tvalidation_0-auc:0.98\n"
    assert read(log, "xgboost") == [
        ("train_mlogloss", 0, 1.4),
        ("validation_merror", 0, 0.17),
        ("validation_0_auc", 12, 0.98),
    ]


@pytest.mark.parametrize("style", STYLES)
@given(words=st.text(), number=st.integers(0, 10**6))
def test_prose_is_no_metric(style, words, number):
    assert read(f"Loading {number} images from 7 files took 0.3 s; see https://a.b/c?d=1 {words}\n", style) == []


@given(st.binary(), st.integers(0, 100))
def test_lines_say_the_same_together_and_one_by_one(junk, number):
    log = b"step=%d loss=0.5\n" % number + junk.replace(b"=", b"") + b"\nEpoch[1] Batch [3/9] loss=0.25\nright: 4\n"
    reader = LineReader(engine_lines(["mxnet", "steps"]), [own_pattern("right", r"right: (\S+)")])
    columns = reader.read(log).columns
    together = [
        (name, [step and int(step) for step in each.steps], each.values)
        for name, each in columns.items()
        if each.values
    ]
    assert together == [("right", [None], [4.0]), ("loss", [number, 12], [0.5, 0.25])]
    assert sorted(read(log, "mxnet", "steps", right=r"right: (\S+)"), key=repr) == sorted(
        [("right", None, 4.0), ("loss", number, 0.5), ("loss", 12, 0.25)], key=repr
    )


@given(st.binary())
def test_any_bytes_are_read(data):
    read(data, *STYLES, mine=r"right: (\S+)")


def test_the_own_pattern_has_its_name_and_the_engine_does_not_use_it():
    log = "step=1 loss=0.5 accuracy=0.1\nthe accuracy is 98.5 %\nright: many\n"
    found = read(log, "steps", accuracy=r"accuracy is (\S+)", right=r"right: (\S+)")
    assert found == [("loss", 1, 0.5), ("accuracy", None, 98.5)]


@pytest.mark.parametrize(
    "number", ["1", "-0.5", "+1", "1.", ".5", "007", "2e-3", "1e400", "-inf", "0.1234567890123456789"]
)
def test_numbers_are_read_however_they_are_written(number):
    log = f"step=1 loss={number} speed: {number}, mse = {number}.\nstep=2 loss=0.25\n"
    columns = LineReader(engine_lines(["steps"]), []).read(log.encode()).columns
    assert {name: each.values for name, each in columns.items()} == {
        "loss": [float(number), 0.25],
        "speed": [float(number)],
        "mse": [float(number)],
    }


@pytest.mark.parametrize("text", ["12s", "1.5s", "1_0", "5e", "nano", "x1"])
def test_what_only_begins_like_a_number_is_none(text):
    assert read(f"step=1 took={text} loss=0.5\n", "steps") == [("loss", 1, 0.5)]


def test_own_groups():
    assert read("it 7: err 1e-3\n", err=r"it (?P<step>\d+): err (?P<value>\S+)") == [("err", 7, 0.001)]
    assert read("a\n5\n", both=r"a\s(\d)") == [], "a match is in one line"


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("a(b", "is not a regular expression: missing )"),
        (r"(a)\1", "is not a regular expression: invalid escape"),
        ("a", "must have one group"),
        ("(a)(b)", "must have one group"),
        ("(?P<step>a)", "must have one group"),
        ("(?P<value>a)(?P<loss>b)", "has a group `loss`"),
    ],
)
def test_a_wrong_own_pattern_is_refused(pattern, why):
    with pytest.raises(UsageError, match=f"^{why.replace('(', '[(]').replace(')', '[)]')}"):
        own_pattern("x", pattern)


@pytest.mark.parametrize("style", ["kears(", "(?P<loss>x)"])
def test_a_wrong_style_is_refused(style):
    with pytest.raises(UsageError):
        engine_lines([style])


def test_a_harmful_pattern_takes_no_time_to_speak_of():
    read(b"a" * 100_000 + b"\n", x="(a+)+b")  # would take for ever where patterns go back
