"""From probabilities to segments of speech, by the rules of the package silero-vad, one window at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SegmentRules:
    """When speech begins and ends. Lengths in samples."""

    threshold: float
    #: Speech goes on until the probability falls below this.
    neg_threshold: float
    min_speech: float
    min_silence: float
    pad: float


@dataclass
class Segment:
    """Speech from sample `start` to before sample `end`, and the mean probability of its windows."""

    start: int
    end: int
    mean_probability: float


@dataclass
class _Open:
    start: int
    #: The probabilities of its windows, and how many of them came before the silence that may end it.
    probabilities: list[float] = field(default_factory=list)
    quiet_from: int | None = None
    loud_windows: int = 0


class Segmenter:
    """Finds segments in a stream of probabilities. A segment comes out when nothing after it can change it."""

    def __init__(self, rules: SegmentRules, window: int) -> None:
        self._rules = rules
        self._window = window
        self._position = 0
        self._open: _Open | None = None
        # Over, and padded at its start only: how far its end may go depends on where the next one starts.
        self._last: Segment | None = None

    def push(self, probability: float) -> Iterator[Segment]:
        """Takes the next window's probability."""
        rules, position = self._rules, self._position
        self._position += self._window
        speech = self._open
        if speech is None:
            if probability >= rules.threshold:
                self._open = _Open(position, [probability])
        elif probability >= rules.threshold:
            speech.quiet_from = None
        elif probability < rules.neg_threshold:
            if speech.quiet_from is None:
                speech.quiet_from, speech.loud_windows = position, len(speech.probabilities)
            if position - speech.quiet_from >= rules.min_silence:
                yield from self._close(speech, speech.quiet_from, speech.loud_windows)
                speech = None
        if speech is not None:
            speech.probabilities.append(probability)
        next_start = self._position if self._open is None else self._open.start
        if self._last is not None and next_start - self._last.end >= 2 * rules.pad:
            yield self._padded(self._last, self._position)
            self._last = None

    def finish(self, samples: int) -> Iterator[Segment]:
        """The stream ends after `samples`: what is open ends too."""
        if self._open is not None:
            yield from self._close(self._open, samples, len(self._open.probabilities))
        if self._last is not None:
            yield self._padded(self._last, samples)
            self._last = None

    def _close(self, speech: _Open, end: int, windows: int) -> Iterator[Segment]:
        self._open = None
        if end - speech.start <= self._rules.min_speech:
            return
        start, pad = speech.start, self._rules.pad
        if self._last is None:
            start = int(max(0, start - pad))
        else:
            gap = start - self._last.end
            if gap < 2 * pad:
                # The two share what is between them.
                self._last.end += gap // 2
                start -= gap // 2
                yield self._last
            else:
                yield self._padded(self._last, start)
                start = int(start - pad)
        self._last = Segment(start, end, sum(speech.probabilities[:windows]) / windows)

    def _padded(self, segment: Segment, limit: int) -> Segment:
        return Segment(segment.start, int(min(limit, segment.end + self._rules.pad)), segment.mean_probability)
