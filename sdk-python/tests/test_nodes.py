"""The nodes that come with the package, without audio."""

import base64
import pickle
import sys
import threading
import types

import pytest

from remotemedia import Node, NodeError, Pipeline, nodes
from remotemedia.nodes import (
    AddNode,
    BidirectionalNode,
    BufferNode,
    CalculatorNode,
    CodeExecutorNode,
    DataSinkNode,
    DataSourceNode,
    DataTransform,
    FormatConverter,
    JavaScriptBridgeNode,
    MultiplyNode,
    PassThroughNode,
    SerializedClassExecutorNode,
    StatefulCounter,
    TextCollectorNode,
    TextProcessorNode,
    TextTransformNode,
    VideoBuffer,
    VideoResizer,
    VideoTransform,
)
from remotemedia.testing import run_node


def run(node, *items):
    return run_node(node, items, mode="python_cpu")


def test_every_name_is_there_and_is_a_node():
    for name in nodes.__all__:
        assert issubclass(getattr(nodes, name), Node), name
        assert name in dir(nodes)
    with pytest.raises(AttributeError, match="Nonesuch"):
        nodes.Nonesuch  # noqa: B018


@pytest.mark.parametrize(
    "node", [PassThroughNode(), DataTransform(), FormatConverter(), VideoTransform(), VideoBuffer(), VideoResizer()]
)
def test_some_nodes_change_nothing(node):
    thing = object()
    assert run(node, 1, thing, (2, 3)) == [1, thing, (2, 3)]


def test_buffers_give_full_lists_and_the_rest():
    assert run(BufferNode(2), 1, 2, 3, 4, 5) == [[1, 2], [3, 4], [5]]
    assert run(BufferNode(2), 1, 2) == [[1, 2]]
    assert run(BufferNode(), *range(12)) == [list(range(10)), [10, 11]]
    for size in (0, -1, 1.5, True):
        with pytest.raises(ValueError, match="buffer_size"):
            BufferNode(size)


@pytest.mark.parametrize(
    ("node", "given", "result"),
    [
        (MultiplyNode(), 3, 6.0),
        (MultiplyNode(factor=2), 3, 6),
        (MultiplyNode(factor=2), [1, 2.5], [2, 5.0]),
        (MultiplyNode(factor=2**70), 2, 2**71),
        (AddNode(), 1, 1.0),
        (AddNode(addend=2), [1, 2.5], [3, 4.5]),
        (CalculatorNode(operation="add", operand=10), 5, 15),
        (CalculatorNode(operation="divide", operand=2), 5, 2.5),
        (CalculatorNode(operation="modulo", operand=3), -1, 2),
        (CalculatorNode(operation="power", operand=100), 2, 2**100),
        (CalculatorNode(operation="subtract", operand=1), [6, 7, 8], [5, 6, 7]),
    ],
)
def test_arithmetic_keeps_integers_as_python_does(node, given, result):
    (got,) = run(node, given)
    assert (got, type(got)) == (result, type(result))


def test_a_chain_of_1_1_is_what_ieee_arithmetic_gives():
    expected = 1.0
    for _ in range(20):
        expected *= 1.1
    assert Pipeline([MultiplyNode(1.1) for _ in range(20)], mode="python_cpu").run_sync(1.0) == expected


def test_the_calculator_answers_dicts():
    node = CalculatorNode(name="c")
    for name in ("args", "operands"):
        (answer,) = run(CalculatorNode(name="c"), {"operation": "multiply", name: [2, 3, 4]})
        assert answer == {
            "operation": "multiply",
            name: [2, 3, 4],
            "result": 24,
            "processed_by": "CalculatorNode[c]",
            "node_config": {"operation": "add", "operand": 0},
        }
    for request, error in (
        ({"operation": "divide", "args": [1, 0]}, "Division by zero"),
        ({"operation": "modulo", "args": [1, 0]}, "Modulo by zero"),
        ({"operation": "root", "args": [1, 2]}, "Unknown operation: root"),
        ({"operation": "add", "args": [1]}, "requires at least 2 arguments"),
        ({"operation": "add", "args": "12"}, "requires at least 2 arguments"),
        ({"operation": "add"}, "must contain"),
        ({"args": [1, 2]}, "must contain"),
    ):
        assert error in node.process(request)["error"]


@pytest.mark.parametrize(
    ("node", "given"),
    [
        (CalculatorNode(), "5"),
        (CalculatorNode(operation="divide"), 5),
        (MultiplyNode(), {"a": 1}),
    ],
)
def test_what_cannot_be_computed_raises(node, given):
    with pytest.raises(NodeError):
        run(node, given)
    with pytest.raises(ValueError, match="root"):
        CalculatorNode(operation="root")


def test_text_is_processed_by_name():
    operations = [
        "uppercase", "lowercase", "reverse", "word_count", "char_count", "title_case", "remove_spaces", "first_word",
        "last_word", "shout",
    ]  # fmt: skip
    node = TextProcessorNode(name="t")
    assert operations[:-1] == node.get_supported_operations()
    (answer,) = run(node, {"text": "Hello big world", "operations": operations})
    assert answer == {
        "original_text": "Hello big world",
        "operations": operations,
        "results": {
            "uppercase": "HELLO BIG WORLD",
            "lowercase": "hello big world",
            "reverse": "dlrow gib olleH",
            "word_count": 3,
            "char_count": 15,
            "title_case": "Hello Big World",
            "remove_spaces": "Hellobigworld",
            "first_word": "Hello",
            "last_word": "world",
            "shout": "Unknown operation: shout",
        },
        "processed_by": "TextProcessorNode[t]",
        "node_config": {},
    }
    (empty,) = run(node, {"text": " ", "operations": ["first_word", "last_word"]})
    assert empty["results"] == {"first_word": "", "last_word": ""}
    for wrong in ("text", {"text": 3, "operations": []}, {"text": "x"}):
        assert "error" in node.process(wrong)


def test_text_goes_through_a_function():
    assert run(TextTransformNode(str.upper), "a", ("b", 1), 3, ()) == ["A", ("B", 1), 3, ()]
    with pytest.raises(TypeError, match="transform_func"):
        TextTransformNode("upper")


def test_the_counter_counts_from_its_start():
    assert run(StatefulCounter(), "a", "b") == [(1,), (2,)]
    assert run(StatefulCounter(initial_value=5), "a") == [(6,)]


@pytest.mark.parametrize(
    ("pieces", "sentences"),
    [
        (["Hello", " world", "!", " How are", " you?"], ["Hello world!", "How are you?"]),
        (["One. Two. Th"], ["One.", "Two.", "Th"]),
        (["a,b, cd"], ["a,b,", "cd"]),
        (["Hi there", "<|text_end|>", "more."], ["Hi there", "<|text_end|>", "more."]),
        (["x<|noise|>yz.<|audio_end|>"], ["xyz.", "<|audio_end|>"]),
        ([3, "ok. "], [3, "ok."]),
        ([], []),
    ],
)
def test_pieces_of_text_become_sentences(pieces, sentences):
    assert run(TextCollectorNode(), *pieces) == sentences


def test_what_is_no_sentence_yet_may_be_dropped():
    assert run(TextCollectorNode(yield_partial_on_end=False), "One. Two") == ["One."]
    with pytest.raises(ValueError, match="split_pattern"):
        TextCollectorNode("[")


def test_code_is_executed():
    node = CodeExecutorNode(name="x")
    (answer,) = run(node, {"code": "def double(n): return 2 * n\nresult = double(input_data)", "input": 21})
    assert answer == {
        "executed_code": "def double(n): return 2 * n\nresult = double(input_data)",
        "input": 21,
        "result": 42,
        "processed_by": "CodeExecutorNode[x]",
        "node_config": {
            "enable_safe_imports": False,
            "enable_pickle": False,
            "enable_cloudpickle": False,
        },
    }
    assert node.process({"code": "1"})["result"] == "No result variable set"
    assert "not defined" in node.process({"code": "result = open('x')"})["error"]
    assert "__import__" in node.process({"code": "import os"})["error"]
    assert "error" in node.process("text") and "error" in node.process({}) and "error" in node.process(None)
    ready = CodeExecutorNode("result = math.sqrt(input_data)", 9, enable_safe_imports=True, allowed_modules=["string"])
    assert ready.process(None)["result"] == 3.0
    assert ready.process({"code": "result = string.digits"})["result"] == "0123456789"
    assert ready.get_security_info()["allowed_modules"] == ["string"]


class Counter:
    def __init__(self):
        self.n = 0

    def add(self, by=1):
        self.n += by
        return self.n


def test_methods_of_pickled_objects_are_called(monkeypatch):
    # pickle does here what cloudpickle does for more types.
    fake = types.ModuleType("cloudpickle")
    fake.loads, fake.dumps = pickle.loads, pickle.dumps
    monkeypatch.setitem(sys.modules, "cloudpickle", fake)
    node = SerializedClassExecutorNode(name="s")
    request = {"serialized_object": base64.b64encode(pickle.dumps(Counter())).decode(), "method_name": "add"}
    (answer,) = run(node, request)
    assert answer["result"] == 1
    again = {**request, "serialized_object": answer["updated_serialized_object"], "method_kwargs": {"by": 5}}
    assert node.process(again)["result"] == 6
    assert node.process({**request, "method_name": "none"})["error_type"] == "AttributeError"
    assert "error" in node.process({**request, "serialized_object": "AAAA"})
    assert "method_name" in node.process({"serialized_object": ""})["error"]
    assert "dictionary" in node.process(3)["error"]


def test_a_data_source_gives_what_is_pushed():
    source = DataSourceNode(buffer_size=1)

    def push():
        for number in range(5):
            source.push(number)
        source.end()

    pusher = threading.Thread(target=push)
    pusher.start()
    assert Pipeline([source, MultiplyNode(2)], mode="python_cpu").run_sync() == [0, 2, 4, 6, 8]
    pusher.join()
    assert run(DataSourceNode(), 7) == [7]
    quiet = DataSourceNode(timeout_seconds=0.01)
    quiet.push(1)
    assert Pipeline([quiet], mode="python_cpu").run_sync() == 1
    assert pickle.loads(pickle.dumps(source)).buffer_size == 1
    with pytest.raises(ValueError, match="buffer_size"):
        DataSourceNode(0)


def test_callbacks_may_be_coroutines():
    got = []

    async def later(item):
        got.append(item)
        return item + 1

    sink = DataSinkNode(later, buffer_output=True, buffer_size=2)
    assert run(sink, 1, 2, 3) == [1, 2, 3] == got
    assert sink.get_buffer() == [2, 3]
    sink.clear_buffer()
    assert sink.get_buffer() == []
    assert run(DataSinkNode(got.append), 4) == [4] == got[3:]
    assert run(DataSinkNode(), 1) == [1]
    assert run(BidirectionalNode(later), 1) == [2]
    assert run(BidirectionalNode(str), 1) == ["1"]
    assert run(BidirectionalNode(), 1) == [1]
    assert run(JavaScriptBridgeNode(later, str), 1) == ["2"]
