"""From pieces of text to sentences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from remotemedia.core.node import Node

_ENDS = ("<|text_end|>", "<|audio_end|>")
_SPECIAL = re.compile(r"<\|[^|]*\|>")


class TextCollectorNode(Node):
    """Collects pieces of text, as language models stream them, and gives whole sentences.

    A sentence ends where `split_pattern` matches, once it has `min_sentence_length` letters. The tokens `<|text_end|>` and
    `<|audio_end|>` end what is collected (given too unless `yield_partial_on_end` is off) and pass on; other tokens of
    that form are dropped. Data that is no text passes as it is. What is left at the end of the stream is given then.
    """

    def __init__(
        self,
        split_pattern: str = r"[.!?,;:\n]+",
        min_sentence_length: int = 3,
        yield_partial_on_end: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        try:
            self._boundary = re.compile(split_pattern)
        except re.error as error:
            raise ValueError(f"split_pattern {split_pattern!r} is no regular expression: {error}") from error
        self.split_pattern = split_pattern
        self.min_sentence_length = min_sentence_length
        self.yield_partial_on_end = yield_partial_on_end
        self._text = ""

    def process(self, data: Any) -> Iterator[Any]:
        """Yields sentences and end tokens."""
        if not isinstance(data, str):
            yield data
            return
        ends = [end for end in _ENDS if end in data]
        self._text += _SPECIAL.sub("", data)
        yield from self._sentences()
        if ends:
            yield from self.flush()
            yield from ends

    def _sentences(self) -> list[str]:
        sentences, begin = [], 0
        for match in self._boundary.finditer(self._text):
            sentence = self._text[begin : match.end()].strip()
            if len(sentence) >= self.min_sentence_length:
                sentences.append(sentence)
                begin = match.end()
        self._text = self._text[begin:]
        return sentences

    def reset(self) -> None:
        """Forgets the sentence that has begun."""
        self._text = ""

    def flush(self) -> Iterator[str]:
        """Yields what is left."""
        rest, self._text = self._text.strip(), ""
        if rest and self.yield_partial_on_end:
            yield rest
