r"""How frameworks write metrics into a log.

A style is a few patterns of lines. Their named groups:
    epoch           counted from 0; nth_epoch: counted from 1
    of              how many epochs there are
    step            of the training
    batch, batches  of the epoch, and how many it has
    pairs           text with `name=value`, `name: value` or `name = value`
    phrases         such text as people write it: `Train Loss: 0.5` is of train_loss, and `Accuracy: 97/100` is 0.97
A pattern without either only tells where the lines behind it belong. What begins with plain text is found fastest.
Names become lower-case, with `_` for `-`.
"""

from typing import NamedTuple


class Line(NamedTuple):
    """One pattern.

    Attributes:
        pattern: Regular expression of a part of a line.
        needs: Text that every such line has: where it is missing nothing else is tried, which is fast.
        prefix: What the names begin with.
    """

    pattern: str
    needs: str
    prefix: str = ""


_EXPONENT = r"(?:[eE][-+]?[0-9]++|)"
_NUMBER = rf"[-+]?(?:[0-9]++\.?+[0-9]*+{_EXPONENT}|\.[0-9]++{_EXPONENT}|[nN]a[nN]|[iI]nf(?:inity)?)"
# A word, and the number behind its `=` or `:`, if there is one. Sets that are spelt out are faster than \w and \d.
WORD = rf"([A-Za-z_][A-Za-z0-9_./-]*+)(?:'?+[ \t]*+[=:][ \t]*+({_NUMBER})(?!\w)|)"
COUNTERS = frozenset({"step", "global_step", "epoch", "batch", "iteration", "iter", "v_num", "eta"})

STYLES: dict[str, tuple[Line, ...]] = {
    # Epoch[0] Batch [100] Speed: 43000.12 samples/sec accuracy=0.912    Epoch[0] Validation-accuracy=0.962
    "mxnet": (
        Line(
            r"Epoch\[(?P<epoch>\d+)\] Batch ?\[(?:\d+-)?(?P<batch>\d+)(?:/(?P<batches>\d+))?\](?P<pairs>.*)", "] Batch"
        ),
        Line(r"Epoch\[(?P<epoch>\d+)\] (?P<pairs>Train-.*)", "] Train-"),
        Line(r"Epoch\[(?P<epoch>\d+)\] (?P<pairs>Validation-.*)", "] Validation-"),
        Line(r"(?P<pairs>Validation-\w+=.*)", "Validation-"),
    ),
    # step=100 loss=0.3 accuracy=0.9    step: 10(global step: 10)  sample/sec: 42.087  loss: 3.451
    "steps": (Line(r"tep(?<=\b[Ss]tep) ?[=:] ?(?P<step>\d+)(?!\d*/)(?P<pairs>.*)", "tep"),),
    # INFO:tensorflow:loss = 0.43, step = 100 (1.2 sec)    Saving dict for global step 1000: accuracy = 0.92, ...
    "estimator": (
        Line(r"(?P<pairs>loss = \S+), step = (?P<step>\d+)", ", step = "),
        Line(r"Saving dict for global step (?P<step>\d+): (?P<pairs>.*)", "Saving dict for global step ", "eval_"),
        Line(r"(?P<pairs>global_step/sec: \S+)", "global_step/sec: "),
    ),
    # Iteration 100 (50 iter/s, 2s/100 iters), loss = 0.21    Iteration 500, Testing net (#0)
    # Test net output #0: accuracy = 0.98
    "caffe": (
        Line(r"Iteration (?P<step>\d+)(?: \([^)\n]*\))?, (?P<pairs>(?:loss|lr) ?=.*)", "Iteration "),
        Line(r"Iteration (?P<step>\d+), Testing net", ", Testing net"),
        Line(r"Train net output #\d+: (?P<pairs>[^(\n]*)", "Train net output #", "train_"),
        Line(r"Test net output #\d+: (?P<pairs>[^(\n]*)", "Test net output #", "test_"),
    ),
    # Epoch 3/10    1875/1875 [====] - 4s 2ms/step - loss: 0.21 - accuracy: 0.93 - val_loss: 0.14
    "keras": (
        Line(r"\bEpoch (?P<nth_epoch>\d+)/(?P<of>\d+)", "Epoch "),
        Line(r"\b(\d+)/\1 [^\n]*? - (?P<pairs>\w+: [-+.\dni][^\n]*)", " - loss: "),
    ),
    # Epoch 0: 100%|████| 938/938 [00:10<00:00, 92.1it/s, v_num=0, train_loss=0.31, val_acc=0.92]
    # Its first edition begins with `loss=0.31, v_num=0`, and without a logger there is no `v_num`.
    "lightning": (Line(r"Epoch (?P<epoch>\d+): 100%\|[^\n]*?(?:it/s|s/it), (?P<pairs>\w[^\]\n]*)\]", ": 100%|"),),
    # [12]	train-mlogloss:0.21	validation-merror:0.04
    "xgboost": (Line(r"\[(?P<epoch>\d+)\]\t(?P<pairs>[\w.-]+:[^\n]*)", "]\t"),),
    # Train Epoch: 1 [3200/60000 (5%)]	Loss: 0.26    Test set: Average loss: 0.05, Accuracy: 9831/10000 (98%)
    # Epoch [1/5], Step [100/600], Loss: 0.2    Epoch 2/10, Train Loss: 0.5, Val Loss: 0.6    Epoch 3: loss=0.5
    "epochs": (
        Line(
            r"Train Epoch: (?P<nth_epoch>\d+) \[(?P<batch>\d+)/(?P<batches>\d+) \(\d+%\)\](?P<phrases>[^\n]*)",
            "Train Epoch: ",
        ),
        Line(r"Test set: (?P<phrases>[^\n]*)", "Test set: ", "test_"),
        Line(
            r"\bEpoch:? ?\[?(?P<nth_epoch>\d+)/(?P<of>\d+)\]?"
            r"(?:,? (?:Step|Batch|Iter):? ?\[?(?P<batch>\d+)/(?P<batches>\d+)\]?)?(?P<phrases>[^\n%]*[=:][^\n%]*)",
            "Epoch",
        ),
        Line(r"\bEpoch:? (?P<epoch>\d+)(?:[:,]| [|-]) (?P<phrases>[^\n%]*[=:][^\n%]*)", "Epoch"),
    ),
    # {'loss': 0.5, 'learning_rate': 5e-05, 'epoch': 1.0}
    "transformers": (Line(r"\{(?P<pairs>'\w+': [^{}\n]*'epoch': [^{}\n]*)\}", "'epoch': "),),
}
