"""What a node costs a frame in Pipecat: the difference of eleven processors and one that hand frames on.

    python benches/python/pipecat_node.py

Needs pipecat-ai from PyPI. Prints JSON, to be read beside `node_and_frame_us` of sdk.py, from the same run of the machine.
"""

import asyncio
import json
import time

from loguru import logger
from pipecat.frames.frames import EndFrame, OutputAudioRawFrame
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.workers.runner import WorkerRunner
from pipecat.processors.frame_processor import FrameProcessor

FRAMES = 3000


class Quiet(FrameProcessor):
    """Hands on, and remembers when the first frame came."""

    def __init__(self):
        super().__init__()
        self.began = 0

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputAudioRawFrame):
            self.began = self.began or time.perf_counter_ns()
        await self.push_frame(frame, direction)


class Sink(FrameProcessor):
    """Counts frames and remembers when the last one came."""

    def __init__(self):
        super().__init__()
        self.count, self.ended = 0, 0

    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, OutputAudioRawFrame):
            self.count += 1
            self.ended = time.perf_counter_ns()
        await self.push_frame(frame, direction)


async def us_per_frame(processors: int) -> float:
    sink = Sink()
    quiet = [Quiet() for _ in range(processors)]
    worker = PipelineWorker(
        Pipeline([*quiet, sink]),
        idle_timeout_secs=None,
        cancel_on_idle_timeout=False,
        enable_rtvi=False,
    )
    silence = b"\0" * 640
    frames = [OutputAudioRawFrame(audio=silence, sample_rate=16000, num_channels=1) for _ in range(FRAMES)]
    await worker.queue_frames([*frames, EndFrame()])
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    assert sink.count == FRAMES, sink.count
    return (sink.ended - quiet[0].began) / 1e3 / FRAMES


def main() -> None:
    logger.remove()
    one = min(asyncio.run(us_per_frame(1)) for _ in range(5))
    eleven = min(asyncio.run(us_per_frame(11)) for _ in range(5))
    print(json.dumps({"pipecat_node_and_frame_us": round((eleven - one) / 10, 3)}))


if __name__ == "__main__":
    main()
