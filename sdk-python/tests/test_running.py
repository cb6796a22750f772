"""What a run gives back, and what it calls."""

import asyncio
import json
import logging
import threading
from pathlib import Path

import pytest
from sample_nodes import (
    Diary,
    Fails,
    Identity,
    Last,
    Mix,
    Numbers,
    OnlyOdd,
    Plus,
    PlusLater,
    Repeat,
    RepeatLater,
    RunningSum,
    Sum,
    Tag,
)

from remotemedia import Node, NodeError, Pipeline, PipelineError
from remotemedia.core.exceptions import TransientError


def run(mode, nodes, input_data=None, **options):
    """Both ways to run; they must agree."""
    if isinstance(nodes, list):
        made = [make() for make in nodes], [make() for make in nodes]
        pipelines = [Pipeline(these, mode=mode) for these in made]
    else:
        pipelines = [nodes(), nodes()]
    by_hand = pipelines[0].run_sync(input_data, **options)
    awaited = asyncio.run(pipelines[1].run(input_data, **options))
    assert repr(by_hand) == repr(awaited)
    return by_hand


@pytest.mark.parametrize(
    ("nodes", "given", "result"),
    [
        ([Identity], 5, 5),
        ([Identity], [5], 5),
        ([Identity], [], None),
        ([Identity], [5, 6], [5, 6]),
        ([Identity], [[5, 6]], [5, 6]),
        ([Identity], (5, 6), (5, 6)),
        ([Identity], {"a": [1]}, {"a": [1]}),
        ([Identity], "text", "text"),
        ([OnlyOdd], [1, 2, 3], [1, 3]),
        ([OnlyOdd], [2], None),
        ([OnlyOdd], [1, 2], 1),
        ([Plus, Plus], [1, 2.5], [3, 4.5]),
        ([PlusLater, Plus], [1, 2], [3, 4]),
        ([Repeat], [2, 0, 1], [2, 2, 1]),
        ([RepeatLater, Plus], [2, 1], [3, 3, 2]),
        ([RunningSum], [1, 2, 3], [1, 3, 6]),
        ([RunningSum, OnlyOdd], [1, 2, 3], [1, 3]),
        ([RunningSum], [], None),
        ([Sum], [1, 2, 3], 6),
        ([Sum], [], 0),
        ([Last], [1, 2, 3], 3),
        ([Last], [], None),
        ([Last, Plus], [1, 2], 3),
        ([Identity], [True, 1, 1.0], [True, 1, 1.0]),
    ],
)
def test_results(mode, nodes, given, result):
    assert repr(run(mode, nodes, given)) == repr(result)


def test_none_as_an_item_reaches_the_node(mode):
    class Names(Node):
        def process(self, data):
            return type(data).__name__

    assert run(mode, [Names], [None, 1]) == ["NoneType", "int"]


def test_the_very_object_passes_between_python_nodes(mode):
    thing = object()
    assert run(mode, [Identity, Identity], [thing]) is thing


def test_branches_meet_in_the_order_of_the_stream(mode):
    def diamond():
        a, b, c, d = Tag("a"), Tag("b"), Tag("c"), Tag("d")
        pipeline = Pipeline(mode=mode)
        return pipeline.add_node(a).add_node(b, after=a).add_node(c, after=a).add_node(d, after=[b, c])

    assert run(mode, diamond, [1, 2]) == [
        ("d", ("b", ("a", 1))),
        ("d", ("c", ("a", 1))),
        ("d", ("b", ("a", 2))),
        ("d", ("c", ("a", 2))),
    ]


def test_several_sinks_answer_by_id(mode):
    def fork():
        a = Plus(1, name="a")
        pipeline = Pipeline(mode=mode).add_node(a)
        return pipeline.add_node(OnlyOdd(), after=a).add_node(Plus(10, name="ten"), after=a)

    assert run(mode, fork, [1, 2, 4]) == {"OnlyOdd_1": [3, 5], "ten_2": [12, 13, 15]}
    assert run(mode, fork, [0, 1]) == {"OnlyOdd_1": 1, "ten_2": [11, 12]}
    assert run(mode, fork, []) == {"OnlyOdd_1": None, "ten_2": None}


def test_several_sources_get_the_whole_input(mode):
    def funnel():
        pipeline = Pipeline(mode=mode).add_node(Tag("a", name="a")).add_node(Tag("b", name="b"), after=[])
        return pipeline.add_node(Identity(), after=["a", "b"])

    assert run(mode, funnel, [1, 2]) == [("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_a_node_with_several_inputs_is_told_which(mode):
    def mixer():
        a, b = Plus(1), Plus(10)
        return Pipeline(mode=mode).add_node(a).add_node(b, after=[]).add_node(Mix(), after={"left": a, "right": b})

    assert run(mode, mixer, [1]) == [("left", 2), ("right", 11)]


def test_what_flush_gives_goes_through_the_rest(mode):
    assert run(mode, [Last, Last, Plus], [1, 2]) == 3


def test_sources_run_without_input(mode):
    class Once(Node):
        def process(self, data=None):
            return "once"

    class Yields(Node):
        def process(self):
            yield from "ab"

    class YieldsLater(Node):
        is_source = True

        async def process(self, data=None):
            for letter in "ab":
                yield letter

    assert run(mode, [lambda: Numbers(3), Plus]) == [2, 3, 4]
    assert run(mode, [Once]) == "once"
    assert run(mode, [Yields, Identity]) == ["a", "b"]
    assert run(mode, [YieldsLater]) == ["a", "b"]
    assert run(mode, [Identity]) is None


def test_nodes_live_from_initialize_to_cleanup(mode):
    diary = []
    Pipeline([Diary(diary, "a "), Diary(diary, "b ")], mode=mode).run_sync([1, 2])
    assert diary == [
        "a initialize",
        "b initialize",
        "a process 1",
        "b process 1",
        "a process 2",
        "b process 2",
        "a flush",
        "b flush",
        "b cleanup",
        "a cleanup",
    ]


@pytest.mark.parametrize("where", ["initialize", "process", "flush"])
def test_a_failure_is_an_error_and_everything_is_cleaned_up(mode, where):
    diary = []
    error = ValueError("no good")
    pipeline = Pipeline([Diary(diary), Fails(where, error)], name="p", mode=mode)
    with pytest.raises(NodeError, match=f"node `Fails_1`, {where}: ValueError: no good") as caught:
        pipeline.run_sync([1, 2])
    assert caught.value.__cause__ is error
    assert (caught.value.node_id, caught.value.operation) == ("Fails_1", where)
    assert isinstance(caught.value, RuntimeError)
    assert diary[-1] == "cleanup"
    assert diary.count("initialize") == diary.count("cleanup") == 1


def test_partial_results_are_not_returned(mode):
    with pytest.raises(NodeError):
        Pipeline([Fails(at=3)], mode=mode).run_sync([1, 2, 3, 4])


def test_a_failure_in_cleanup_is_logged_and_keeps_no_other_node_from_its(mode, caplog):
    diary = []
    with caplog.at_level(logging.WARNING):
        result = Pipeline([Diary(diary), Fails("cleanup"), Diary(diary)], mode=mode).run_sync(1)
    assert result == 1
    assert diary.count("cleanup") == 2
    assert "no good" in caplog.text


def test_a_run_runs_once(mode):
    diary = []
    with pytest.raises(NodeError):
        Pipeline([Diary(diary), Fails(at=2)], mode=mode).run_sync([1, 2])
    assert diary.count("process 1") == diary.count("process 2") == 1


def test_a_pipeline_may_run_again(mode):
    pipeline = Pipeline([Plus()], mode=mode)
    assert [pipeline.run_sync(1), pipeline.run_sync(2), asyncio.run(pipeline.run(3))] == [2, 3, 4]


def test_what_changed_between_runs_counts(mode):
    pipeline = Pipeline([Plus(name="a")], mode=mode)
    assert pipeline.run_sync(1) == 2
    pipeline.nodes[0].addend = 10
    assert pipeline.run_sync(1) == 11
    pipeline.add_node(Fails(), after="a").add_node(Plus(), after="a")
    pipeline.nodes[1].name = "renamed"
    with pytest.raises(NodeError, match="node `renamed_1`"):
        pipeline.run_sync(1)
    pipeline.nodes[1].where = "never"
    assert pipeline.run_sync(1) == {"renamed_1": 11, "Plus_2": 12}
    pipeline.remove_node("renamed")
    assert pipeline.run_sync(1) == 12
    pipeline.enable_metrics = True
    pipeline.run_sync([1, 2])
    assert pipeline.get_metrics()["node_metrics"][0]["execution_count"] == 2


def test_runs_at_the_same_time_are_apart(mode):
    async def both():
        pipeline = Pipeline([RunningSum()], mode=mode)
        return await asyncio.gather(pipeline.run([1, 2]), pipeline.run([10, 20]))

    assert asyncio.run(both()) == [[1, 3], [10, 30]]


def test_an_empty_pipeline_does_not_run(mode):
    with pytest.raises(PipelineError, match="empty"):
        Pipeline(mode=mode).run_sync(1)


def test_sys_exit_in_a_node_is_its_failure(mode):
    with pytest.raises(NodeError, match="SystemExit"):
        Pipeline([Fails(error=SystemExit(3))], mode=mode).run_sync(1)


def test_run_sync_on_an_event_loop_says_what_to_use(mode):
    async def inside():
        Pipeline([Identity()], mode=mode).run_sync(1)

    with pytest.raises(PipelineError, match="await pipeline.run"):
        asyncio.run(inside())


def test_nodes_may_use_asyncio_run_themselves(mode):
    class Own(Node):
        def process(self, data):
            async def later():
                await asyncio.sleep(0)
                return data + 1

            return asyncio.run(later())

    assert run(mode, [Own], [1]) == 2


def test_a_blocking_node_does_not_hold_up_the_loop(mode):
    gate, entered = threading.Event(), threading.Event()

    class Blocks(Node):
        def process(self, data):
            entered.set()
            assert gate.wait(30)
            return data

    async def both():
        running = asyncio.create_task(Pipeline([Blocks()], mode=mode).run(1))
        while not entered.is_set():
            await asyncio.sleep(0)
        gate.set()  # only the loop can do this
        return await running

    assert asyncio.run(both()) == 1


def test_streams_see_coroutines_of_other_nodes(mode):
    assert run(mode, [PlusLater, RunningSum, PlusLater], [1, 2]) == [3, 6]


def test_ten_thousand_nodes_in_a_row(mode):
    assert Pipeline([Plus() for _ in range(10_000)], mode=mode).run_sync(0) == 10_000


@pytest.mark.parametrize("asynchronous", [False, True])
def test_progress_is_told(mode, asynchronous):
    told = []
    pipeline = Pipeline([Identity()], mode=mode)

    def progress(done, total):
        told.append((done, total))

    if asynchronous:
        asyncio.run(pipeline.run([5, 6], progress=progress))
    else:
        pipeline.run_sync([5, 6], progress=progress)
    assert told == [(1, 2), (2, 2)]


def test_metrics_count_every_run(mode):
    pipeline = Pipeline([Plus(), Fails(at=4)], enable_metrics=True, mode=mode)
    pipeline.run_sync([1, 2])
    with pytest.raises(NodeError):
        pipeline.run_sync([1, 3, 9])
    metrics = pipeline.get_metrics()
    assert metrics["total_executions"] == 2
    plus, fails = metrics["node_metrics"]
    assert (plus["node_id"], plus["execution_count"], plus["success_count"]) == ("Plus_0", 4, 4)
    assert (fails["execution_count"], fails["error_count"], fails["success_rate"]) == (4, 1, 0.75)
    assert 0 < plus["min_duration_us"] <= plus["avg_duration_us"] <= plus["max_duration_us"]
    assert plus["total_duration_us"] < metrics["total_duration_us"]
    assert metrics["total_duration_us"] == pytest.approx(1000 * metrics["total_duration_ms"])
    assert metrics["peak_memory_mb"] > 1
    assert metrics["metrics_overhead_us"] > 0
    assert Pipeline([Plus()], mode=mode).get_metrics() is None


JSON_TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
}  # fmt: skip


def _misfits(value, schema, defs, path="$"):
    """Where `value` is not what `schema` says, by the words of JSON Schema that metrics.schema.json has."""
    words = {
        "$schema", "$id", "$ref", "$defs", "title", "description", "type", "properties", "required", "items", "format",
        "minimum", "maximum", "default", "anyOf", "oneOf", "const", "enum", "additionalProperties",
    }  # fmt: skip
    assert words >= set(schema), set(schema) - words
    if "$ref" in schema:
        yield from _misfits(value, defs[schema["$ref"].removeprefix("#/$defs/")], defs, path)
    for word in ("anyOf", "oneOf"):
        if word in schema and all(list(_misfits(value, part, defs, path)) for part in schema[word]):
            yield f"{path}: {value!r} is none of {schema[word]}"
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        fits = [isinstance(value, JSON_TYPES[name]) and (name == "boolean") == isinstance(value, bool) for name in types]
        if not any(fits):
            yield f"{path}: {value!r} is no {types}"
            return
    if value is not None and value < schema["minimum"] if "minimum" in schema else False:
        yield f"{path}: {value!r} is too small"
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is another word"
    if isinstance(value, dict):
        yield from (f"{path}: no {name}" for name in schema.get("required", ()) if name not in value)
        for name, inner in value.items():
            of_all = schema.get("additionalProperties")
            its = schema.get("properties", {}).get(name, of_all if isinstance(of_all, dict) else {})
            yield from _misfits(inner, its, defs, f"{path}.{name}")
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _misfits(inner, schema.get("items", {}), defs, f"{path}[{index}]")


def test_metrics_have_the_fields_of_the_published_schema(mode):
    schema = json.loads((Path(__file__).parents[2] / "docs/metrics.schema.json").read_text())
    pipeline = Pipeline([Plus(), Fails(at=4)], name="counted", enable_metrics=True, mode=mode)
    pipeline.run_sync([1, 2])
    with pytest.raises(NodeError):
        pipeline.run_sync([1, 3, 9])
    metrics = pipeline.get_metrics()
    assert set(metrics) == set(schema["properties"])
    assert not list(_misfits(metrics, schema, schema["$defs"]))
    assert metrics["cpu_time_us"] > 0
    assert (metrics["schema_version"], metrics["pipeline_name"]) == (1, "counted")
    assert metrics["peak_memory_bytes"] >= metrics["resident_memory_bytes"] > 1e6
    of_node = schema["$defs"]["NodeMetrics"]["properties"]
    for node in metrics["node_metrics"]:
        assert set(node) == set(of_node)
        histogram = node["duration_histogram_us"]
        assert sum(bucket["count"] for bucket in histogram) == node["execution_count"]
        assert histogram[-1]["below_us"] / 2 <= node["max_duration_us"] < histogram[-1]["below_us"]
        percentiles = [node[f"p{share}_duration_us"] for share in (50, 90, 99)]
        assert node["min_duration_us"] <= percentiles[0] <= percentiles[1] <= percentiles[2] <= node["max_duration_us"]
    assert sum(metrics["node_metrics"][1]["errors_by_kind"].values()) == 1
    json.dumps(metrics)


def test_percentiles_of_several_runs_are_read_off_the_histogram():
    from remotemedia.core.metrics import NodeCounter

    counter = NodeCounter("a", "A")
    # Evenly spread in one range, so that the right answers are known: 1,024 to 2,047 ns.
    for took_ns in range(1024, 2048):
        counter.record(took_ns, 1, None)
    node = counter.snapshot()
    assert node["p50_duration_us"] == pytest.approx(1.536, rel=0.001)
    assert node["p99_duration_us"] == pytest.approx(2.038, rel=0.001)
    assert node["duration_histogram_us"] == [{"below_us": 2.048, "count": 1024}]


def test_percentiles_of_a_native_run_end_with_the_next_call():
    from remotemedia.core.metrics import NodeCounter

    native = Pipeline([Plus()], enable_metrics=True, mode="rust_inprocess_ffi")
    native.run_sync([1, 2])
    counter = NodeCounter("a", "A")
    counter.absorb(native.get_metrics()["node_metrics"][0])
    for _ in range(1000):
        counter.record(10**9, 1, None)
    assert counter.snapshot()["p50_duration_us"] > 5e5


class NowAndThen(Plus):
    def process(self, data):
        raise TransientError("now and then")


def test_errors_count_by_their_kind(mode):
    pipeline = Pipeline([NowAndThen()], enable_metrics=True, mode=mode)
    with pytest.raises(NodeError):
        pipeline.run_sync([1])
    assert pipeline.get_metrics()["node_metrics"][0]["errors_by_kind"] == {"transient": 1}
