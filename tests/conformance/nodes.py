"""Classes for the rows of CPython, in the host and in the sandbox: nothing but Python."""

from remotemedia.core.exceptions import InvalidInputError


class Gain:
    """Multiplies audio."""

    remotemedia_inputs = {"in": "audio"}
    remotemedia_outputs = {"out": "audio"}
    remotemedia_stateless = True

    def __init__(self, factor: float = 1.0):
        self.factor = factor

    def process(self, value):
        if not (isinstance(value, tuple) and len(value) == 2):
            raise InvalidInputError(f"takes audio, got {type(value).__name__}")
        samples, sample_rate = value
        return samples * self.factor, sample_rate


class Words:
    """Counts the words of a text."""

    remotemedia_inputs = {"in": "text"}
    remotemedia_outputs = {"out": "json"}
    remotemedia_stateless = True

    def process(self, text):
        if not isinstance(text, str):
            raise InvalidInputError(f"takes text, got {type(text).__name__}")
        return {"words": len(text.split())}
