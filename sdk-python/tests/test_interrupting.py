"""Interrupted pipelines forget what they were given, and go on."""

import asyncio
import threading

import pytest
from sample_nodes import Diary, Identity

from remotemedia import Node, Pipeline
from remotemedia.nodes import TextCollectorNode


class Remembers(Node):
    """Gives what it was given so far."""

    def __init__(self):
        self.seen = []
        self.resets = 0

    def process(self, data):
        self.seen.append(data)
        return list(self.seen)

    def reset(self):
        self.seen = []
        self.resets += 1


class Interrupts(Node):
    """Interrupts its pipeline in the middle of the call for one item."""

    pipeline: Pipeline

    def __init__(self, at):
        self.at = at

    def process(self, data):
        if data == self.at:
            self.pipeline.interrupt()
        return data


def interrupting(mode, at, *nodes):
    node = Interrupts(at)
    pipeline = Pipeline([node, *nodes], mode=mode)
    node.pipeline = pipeline
    return pipeline


def test_a_run_goes_on_with_the_item_after_the_interruption(mode):
    remembers = Remembers()
    pipeline = interrupting(mode, 3, remembers)
    assert pipeline.run_sync([1, 2, 3, 4, 5]) == [[4], [4, 5]]
    assert remembers.resets == 1


def test_a_run_from_an_event_loop_does_too(mode):
    pipeline = interrupting(mode, 3, Remembers())
    assert asyncio.run(pipeline.run([1, 2, 3, 4, 5])) == [[4], [4, 5]]


def test_the_interrupted_item_reaches_no_further_node(mode):
    diary = []
    pipeline = interrupting(mode, 2, Diary(diary))
    assert pipeline.run_sync([1, 2, 3]) == 3
    assert [entry for entry in diary if entry.startswith("process")] == ["process 1", "process 3"]


def test_interrupting_at_the_last_item_leaves_nothing_and_nodes_are_flushed_and_cleaned_up(mode):
    class Flushes(Identity):
        flushed = cleaned = False

        def flush(self):
            self.flushed = True
            return "the end"

        def cleanup(self):
            self.cleaned = True

    flushes = Flushes()
    # The stream ends after the interruption, so what the flush gives is not void.
    assert interrupting(mode, 2, flushes).run_sync([1, 2]) == "the end"
    assert flushes.flushed and flushes.cleaned


def test_what_a_node_of_the_package_keeps_back_is_forgotten(mode):
    pipeline = interrupting(mode, "stop", TextCollectorNode())
    assert pipeline.run_sync(["One sentence. Half of", "stop", "another one."]) == "another one."


def test_a_node_that_cannot_be_reset_stays_as_it_is(mode):
    class Counts(Node):
        count = 0

        def process(self, data):
            self.count += 1
            return self.count

    assert interrupting(mode, 2, Counts()).run_sync([1, 2, 3]) == 2


def test_a_coroutine_and_a_plain_class_can_be_reset(mode):
    class Plain:
        kept = 0

        def process(self, data):
            self.kept += data
            return self.kept

        async def reset(self):
            await asyncio.sleep(0)
            self.kept = 0

    from remotemedia.core.plain import node_class_of

    assert interrupting(mode, 2, node_class_of(Plain)()).run_sync([1, 2, 3]) == 3


def test_a_streaming_node_gets_a_new_stream(mode):
    class Sums(Node):
        is_streaming = True
        ended = 0

        async def process(self, data):
            total = 0
            try:
                async for item in data:
                    total += item
                    yield total
            finally:
                self.ended += 1

    sums = Sums()
    assert interrupting(mode, 3, sums).run_sync([1, 2, 3, 4, 5]) == [4, 9]
    assert sums.ended == 2


@pytest.mark.parametrize("is_async", [False, True])
def test_a_generator_ends_at_its_next_value(mode, is_async):
    given = []

    class Talks(Node):
        pipeline: Pipeline
        closed = 0

        def _word(self, data, number):
            given.append((data, number))
            if data == "long" and number == 2:
                self.pipeline.interrupt()
            return f"{data} {number}"

    class TalksAtOnce(Talks):
        def process(self, data):
            try:
                for number in range(4):
                    yield self._word(data, number)
            finally:
                self.closed += 1

    class TalksSlowly(Talks):
        async def process(self, data):
            try:
                for number in range(4):
                    await asyncio.sleep(0)
                    yield self._word(data, number)
            finally:
                self.closed += 1

    talks = TalksSlowly() if is_async else TalksAtOnce()
    talks.pipeline = Pipeline([talks], mode=mode)
    assert talks.pipeline.run_sync(["long", "new"]) == [f"new {number}" for number in range(4)]
    assert [number for data, number in given if data == "long"] == [0, 1, 2]
    assert talks.closed == 2


def test_what_process_has_not_given_yet_is_discarded(mode):
    class Three(Node):
        def process(self, data):
            yield from (f"{data}{number}" for number in range(3))

    async def stream():
        for item in "abc":
            yield item

    async def run():
        taken = []
        async with Pipeline([Three()], mode=mode) as pipeline:
            async for value in pipeline.process(stream()):
                taken.append(value)
                if value == "b0":
                    pipeline.interrupt()
        return taken

    assert asyncio.run(run()) == ["a0", "a1", "a2", "b0", "c0", "c1", "c2"]


def test_another_thread_interrupts_while_a_node_works(mode):
    begun, interrupted = threading.Event(), threading.Event()

    class Works(Node):
        def process(self, data):
            if data == 1:
                begun.set()
                assert interrupted.wait(60)
            return data

    remembers = Remembers()
    pipeline = Pipeline([Works(), remembers], mode=mode)

    def interrupt():
        assert begun.wait(60)
        pipeline.interrupt()
        interrupted.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert asyncio.run(pipeline.run([1, 2, 3])) == [[2], [2, 3]]
    thread.join()
    assert remembers.resets == 1


def test_a_reset_that_fails_fails_the_run_and_names_the_node(mode):
    class Fails(Identity):
        def reset(self):
            raise ValueError("no way back")

    with pytest.raises(RuntimeError, match="(?s)Fails.*reset.*no way back") as raised:
        interrupting(mode, 1, Fails()).run_sync([1, 2])
    assert isinstance(raised.value.__cause__, ValueError)


def test_interrupting_what_does_not_run_does_nothing(mode):
    remembers = Remembers()
    pipeline = Pipeline([remembers], mode=mode)
    pipeline.interrupt()
    assert pipeline.run_sync([1, 2]) == [[1], [1, 2]]
    pipeline.interrupt()
    assert remembers.resets == 0
