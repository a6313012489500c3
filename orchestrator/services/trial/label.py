"""What an answer says that a picture shows, whatever form it has: pure."""

from typing import Any

SCORES = ("probability", "score", "confidence")
NAMES = ("predicted_label", "label", "class", "prediction", "predictions", "predictresult", "digit")


def label_of(answer: Any) -> str | None:
    """Return the label in an answer; None if it has none that can be told.

    It is what stands under a name such as `predicted_label`; or the only value; or, of several numbers, the place of
    the largest; or, of pairs of label and score, the label with the highest.
    """
    if isinstance(answer, dict):
        for name in NAMES:
            if name in answer:
                return label_of(answer[name])
        return label_of(next(iter(answer.values()))) if len(answer) == 1 else None
    if isinstance(answer, list):
        return _of_list(answer)
    if isinstance(answer, str):
        return answer.strip() or None
    if isinstance(answer, int | float) and not isinstance(answer, bool):
        return str(int(answer)) if float(answer).is_integer() else None
    return None


def _of_list(values: list[Any]) -> str | None:
    if len(values) == 1:
        return label_of(values[0])
    if values and all(isinstance(value, int | float) for value in values):
        return str(max(range(len(values)), key=values.__getitem__))
    pairs = [pair for pair in map(_pair, values) if pair]
    return max(pairs, key=lambda pair: pair[1])[0] if pairs and len(pairs) == len(values) else None


def _pair(value: Any) -> tuple[str, float] | None:
    """Return label and score of `[label, score]`, whichever comes first, or of `{"class": ..., "probability": ...}`."""
    if isinstance(value, dict):
        label = next((label_of(value[name]) for name in NAMES if name in value), None)
        score = next((value[name] for name in SCORES if isinstance(value.get(name), int | float)), None)
        return None if label is None or score is None else (label, float(score))
    if not isinstance(value, list) or len(value) != 2:
        return None
    for label, score in (value, value[::-1]):
        try:
            return (str(label), float(score)) if isinstance(label, str) else None
        except (TypeError, ValueError):
            continue
    return None
