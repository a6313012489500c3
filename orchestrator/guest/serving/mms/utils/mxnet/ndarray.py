"""Answers from arrays of MXNet."""


def top_probability(data, labels, top=5):
    """Return the labels with the highest probabilities, as a list of dicts."""
    flat = data.asnumpy().reshape(-1)
    order = flat.argsort()[::-1][:top]
    return [{"probability": float(flat[index]), "class": labels[index]} for index in order]
