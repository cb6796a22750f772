"""`process`: items in, results out, one at a time."""

import asyncio
import gc

import pytest
from sample_nodes import Diary, Fails, Identity, Last, Numbers, Plus, Repeat, RunningSum, Sum, Tag

from remotemedia import Node, NodeError, Pipeline, PipelineError


async def numbers(count, diary=None):
    for number in range(1, count + 1):
        if diary is not None:
            diary.append(f"pulled {number}")
        yield number


def test_results_come_while_the_source_is_pulled(mode):
    async def run():
        diary = []
        async with Pipeline([Repeat()], mode=mode) as pipeline:
            async for value in pipeline.process(numbers(3, diary)):
                diary.append(f"got {value}")
        return diary

    assert asyncio.run(run()) == [
        "pulled 1", "got 1", "pulled 2", "got 2", "got 2", "pulled 3", "got 3", "got 3", "got 3",
    ]  # fmt: skip


@pytest.mark.parametrize("take", [1, 5])
def test_a_source_is_not_pulled_faster_than_the_sink_drains(mode, take):
    async def run():
        diary = []
        async with Pipeline([Identity(), RunningSum()], mode=mode) as pipeline:
            results = pipeline.process(numbers(100, diary))
            for _ in range(take):
                await anext(results)
            await results.aclose()
        return diary

    assert asyncio.run(run()) == [f"pulled {number}" for number in range(1, take + 1)]


def test_an_endless_source_node_is_pulled_as_wanted(mode):
    class Endless(Node):
        is_source = True

        def __init__(self):
            self.made, self.closed = 0, False

        def process(self, data=None):
            try:
                while True:
                    self.made += 1
                    yield self.made
            finally:
                self.closed = True

    async def run():
        source = Endless()
        async with Pipeline([source, Plus()], mode=mode) as pipeline:
            results = pipeline.process()
            got = [await anext(results) for _ in range(3)]
            await results.aclose()
        return got, source.made, source.closed

    assert asyncio.run(run()) == ([2, 3, 4], 3, True)


def test_the_end_of_the_stream_flushes(mode):
    async def run(*nodes):
        async with Pipeline(nodes, mode=mode) as pipeline:
            return [value async for value in pipeline.process(numbers(3))]

    assert asyncio.run(run(Last())) == [3]
    assert asyncio.run(run(Sum(), Plus())) == [7]
    assert asyncio.run(run(Identity(), Last(), Tag("t"))) == [("t", 3)]


def test_a_stream_without_input_reads_source_nodes(mode):
    async def run():
        async with Pipeline([Numbers(3), Plus()], mode=mode) as pipeline:
            return [value async for value in pipeline.process()]

    assert asyncio.run(run()) == [2, 3, 4]


def test_several_sinks_say_which(mode):
    async def run():
        a = Plus(name="a")
        pipeline = Pipeline([a], mode=mode).add_node(Tag("b"), after=a).add_node(Tag("c"), after=a)
        async with pipeline:
            return [value async for value in pipeline.process(numbers(1))]

    assert asyncio.run(run()) == [("Tag_1", ("b", 2)), ("Tag_2", ("c", 2))]


def test_nodes_are_cleaned_up_when_the_consumer_leaves(mode):
    async def run():
        diary = []
        async with Pipeline([Diary(diary)], mode=mode).managed_execution() as pipeline:
            async for _ in pipeline.process(numbers(5)):
                break
            gc.collect()
        return diary

    assert asyncio.run(run()) == ["initialize", "process 1", "cleanup"]


@pytest.mark.parametrize("where", ["process", "flush"])
def test_a_failing_node_ends_the_stream(mode, where):
    async def run():
        diary, got = [], []
        with pytest.raises(NodeError, match=f"Fails_1`, {where}"):
            async with Pipeline([Diary(diary), Fails(where, at=3)], mode=mode) as pipeline:
                async for value in pipeline.process(numbers(3)):
                    got.append(value)
        return got, diary[-1]

    got, last = asyncio.run(run())
    assert got == ([1, 2] if where == "process" else [1, 2, 3])
    assert last == "cleanup"


def test_a_failing_source_is_its_own_error(mode):
    async def broken():
        yield 1
        raise OSError("unplugged")

    async def run():
        async with Pipeline([Plus()], mode=mode) as pipeline:
            async for value in pipeline.process(broken()):
                assert value == 2

    with pytest.raises(OSError, match="unplugged"):
        asyncio.run(run())


def test_process_needs_an_initialized_pipeline(mode):
    async def run():
        async for _ in Pipeline([Plus()], mode=mode).process(numbers(1)):
            pass

    with pytest.raises(PipelineError, match="not initialized"):
        asyncio.run(run())


def test_an_initialized_pipeline_keeps_its_state(mode):
    class Counts(Node):
        def __init__(self):
            self.n = 0

        def process(self, data):
            self.n += 1
            return self.n

    async def run():
        async with Pipeline([Counts()], mode=mode) as pipeline:
            return [await pipeline.run(0), await pipeline.run([0, 0]), await pipeline.run(0)]

    assert asyncio.run(run()) == [1, [2, 3], 4]


def test_one_run_at_a_time(mode):
    async def run():
        async with Pipeline([Identity()], mode=mode) as pipeline:
            first = pipeline.process(numbers(3))
            await anext(first)
            with pytest.raises(PipelineError, match="one run at a time"):
                await pipeline.run(1)
            await first.aclose()
            return await pipeline.run(1)

    assert asyncio.run(run()) == 1


def test_nodes_may_not_change_while_they_are_initialized(mode):
    async def run():
        async with Pipeline([Plus()], mode=mode) as pipeline:
            with pytest.raises(PipelineError, match="initialized"):
                pipeline.add_node(Plus())
            with pytest.raises(PipelineError, match="initialized"):
                pipeline.remove_node("Plus")
            with pytest.raises(PipelineError, match="await"):
                await asyncio.to_thread(pipeline.run_sync, 1)

    asyncio.run(run())


def test_a_failing_initialize_cleans_up_what_was_begun(mode):
    async def run():
        diary = []
        pipeline = Pipeline([Diary(diary), Fails("initialize"), Diary(diary, "late ")], mode=mode)
        with pytest.raises(NodeError, match="initialize"):
            await pipeline.initialize()
        assert not pipeline.is_initialized
        return diary

    assert asyncio.run(run()) == ["initialize", "cleanup"]
