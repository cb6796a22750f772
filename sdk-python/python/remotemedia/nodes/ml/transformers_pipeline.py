"""Any task of the library transformers as a node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from remotemedia.core.audio import as_float, split
from remotemedia.core.exceptions import ConfigurationError
from remotemedia.core.node import Node
from remotemedia.nodes.ml.devices import checked_device, choose_device
from remotemedia.nodes.ml.libraries import load_pipeline, require


class TransformersPipelineNode(Node):
    """Runs `transformers.pipeline(task, model)` on every item and gives what that gives.

    `model` is the path of a folder, a name of the Hugging Face hub, or a model object; None takes the task's default.
    `device` is "auto" (also None: CUDA, else MPS, else CPU), "cpu", "cuda", "cuda:N", "mps", or a number as transformers
    counts. `model_kwargs` are further arguments of `transformers.pipeline` (`tokenizer`, `dtype`, `revision` …),
    `call_kwargs` those of every call (`top_k`, `generate_kwargs` …).

    Audio `(samples, rate)` becomes what the audio tasks take: the mean of the channels with its rate, which the pipeline
    resamples. Everything else is passed on as it is.

    With `batch_size` the node waits for that many items and gives them to the pipeline as one list; the rest at the end of the
    stream. Some tasks answer a list more simply than single items: text classification gives `{"label", "score"}` for each
    item of a list, and a list of one such dict for an item alone. `example` is an item that is run once before the first.

    Offline: give a folder, or set the variable HF_HUB_OFFLINE=1 to use what was downloaded before.
    """

    def __init__(
        self,
        task: str,
        model: Any = None,
        device: str | int | None = None,
        model_kwargs: dict[str, Any] | None = None,
        batch_size: int | None = None,
        call_kwargs: dict[str, Any] | None = None,
        example: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not isinstance(task, str) or not task:
            raise ConfigurationError(f"task {task!r} must be the name of a task of transformers, such as 'text-classification'")
        if batch_size is not None and (isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1):
            raise ConfigurationError(f"batch_size {batch_size!r} must be a whole number from 1, or None")
        self.task = task
        self.model: Any = model
        self.device: str = checked_device(device)
        self.model_kwargs: dict[str, Any] = dict(model_kwargs or {})
        self.batch_size = batch_size
        self.call_kwargs: dict[str, Any] = dict(call_kwargs or {})
        self.example = example
        #: The pipeline of transformers, while the node is initialized.
        self.pipe: Any = None
        self._waiting: list[Any] = []

    def initialize(self) -> Any:
        """Loads the model and warms it up."""
        torch = require("torch", type(self).__name__, "torch transformers")
        device = choose_device(torch, self.device)
        arguments = {"task": self.task, "model": self.model, "device": device, **self.model_kwargs}
        self.pipe = load_pipeline(type(self).__name__, "transformers", **arguments)
        self.warm_up()
        return super().initialize()

    def warm_up(self) -> None:
        """Called at the end of `initialize`. Runs `example`, where there is one, and forgets the result."""
        if self.example is not None:
            self.pipe(_as_input(self.example), **self.call_kwargs)

    def process(self, data: Any) -> Iterator[Any]:
        """`data` is what the task takes, or audio."""
        item = _as_input(data)
        if self.batch_size is None:
            yield self.pipe(item, **self.call_kwargs)
            return
        self._waiting.append(item)
        if len(self._waiting) == self.batch_size:
            yield from self.flush()

    def reset(self) -> None:
        """Forgets what waits."""
        self._waiting = []

    def flush(self) -> Iterator[Any]:
        """What is left of the last batch."""
        waiting, self._waiting = self._waiting, []
        if waiting:
            yield from self.pipe(waiting, batch_size=self.batch_size, **self.call_kwargs)

    def cleanup(self) -> Any:
        """Lets go of the model and of what waits."""
        self.pipe = None
        self._waiting = []
        return super().cleanup()


def _as_input(data: Any) -> Any:
    parts = split(data) if isinstance(data, tuple) else ""
    if isinstance(parts, str):
        return data
    samples, rate = parts
    return {"raw": as_float(samples).mean(axis=0, dtype=np.float32), "sampling_rate": rate}
