"""What a pipeline counts, in the shape that the native engine reports too."""

from __future__ import annotations

import itertools
import sys
import time
from typing import Any, TypedDict

_numbers = itertools.count()


class NodeMetrics(TypedDict):
    """What one node did. Durations are of calls of `process`, in microseconds."""

    node_id: str
    node_type: str
    served_by: str
    execution_count: int
    success_count: int
    error_count: int
    success_rate: float
    packets_in: int
    packets_out: int
    total_duration_us: float
    avg_duration_us: float
    min_duration_us: float
    max_duration_us: float


class PipelineMetrics(TypedDict):
    """What a pipeline did in all its runs."""

    pipeline_id: str
    total_executions: int
    total_duration_us: float
    total_duration_ms: float
    peak_memory_bytes: int
    peak_memory_mb: float
    node_metrics: list[NodeMetrics]
    metrics_overhead_us: float


class NodeCounter:
    """Counts the calls of one node."""

    __slots__ = (
        "calls", "errors", "longest_ns", "node_id", "node_type", "outputs", "served_by", "shortest_ns", "total_ns",
    )  # fmt: skip

    def __init__(self, node_id: str, node_type: str) -> None:
        self.node_id: str = node_id
        self.node_type: str = node_type
        self.served_by: str = "python_cpu"
        self.calls: int = 0
        self.errors: int = 0
        self.outputs: int = 0
        self.total_ns: int = 0
        self.longest_ns: int = 0
        self.shortest_ns: int = sys.maxsize

    def record(self, took_ns: int, outputs: int, failed: bool) -> None:
        """One call of `process`."""
        self.calls += 1
        self.errors += failed
        self.outputs += outputs
        self.total_ns += took_ns
        self.shortest_ns = min(self.shortest_ns, took_ns)
        self.longest_ns = max(self.longest_ns, took_ns)

    def snapshot(self) -> NodeMetrics:
        """The counts so far."""
        succeeded = self.calls - self.errors
        return {
            "node_id": self.node_id,
            "node_type": self.node_type,
            "served_by": self.served_by,
            "execution_count": self.calls,
            "success_count": succeeded,
            "error_count": self.errors,
            "success_rate": succeeded / self.calls if self.calls else 1.0,
            "packets_in": self.calls,
            "packets_out": self.outputs,
            "total_duration_us": self.total_ns / 1e3,
            "avg_duration_us": self.total_ns / 1e3 / self.calls if self.calls else 0.0,
            "min_duration_us": self.shortest_ns / 1e3 if self.calls else 0.0,
            "max_duration_us": self.longest_ns / 1e3,
        }


class Counters:
    """Counts of a pipeline over all its runs."""

    def __init__(self, pipeline_name: str) -> None:
        self._id = f"{pipeline_name}-{next(_numbers)}"
        self._nodes: dict[str, NodeCounter] = {}
        self._executions = 0
        self._total_ns = 0

    def of(self, node_id: str, node_type: str) -> NodeCounter:
        """The counter of a node."""
        return self._nodes.setdefault(node_id, NodeCounter(node_id, node_type))

    def absorb(self, counted: list[dict[str, Any]]) -> None:
        """Adds what the native engine counted in one stream."""
        for node in counted:
            counter = self.of(node["node_id"], node["node_type"])
            counter.served_by = node["served_by"]
            counter.calls += node["execution_count"]
            counter.errors += node["error_count"]
            counter.outputs += node["packets_out"]
            counter.total_ns += round(1e3 * node["total_duration_us"])
            if node["execution_count"]:
                counter.shortest_ns = min(counter.shortest_ns, round(1e3 * node["min_duration_us"]))
                counter.longest_ns = max(counter.longest_ns, round(1e3 * node["max_duration_us"]))

    def ran(self, took_ns: int) -> None:
        """One run is over."""
        self._executions += 1
        self._total_ns += took_ns

    def snapshot(self) -> PipelineMetrics:
        """Everything counted so far."""
        began = time.perf_counter_ns()
        nodes = [counter.snapshot() for counter in self._nodes.values()]
        calls = sum(counter.calls for counter in self._nodes.values())
        peak = _peak_memory_bytes()
        overhead_ns = time.perf_counter_ns() - began + calls * _record_ns()
        return {
            "pipeline_id": self._id,
            "total_executions": self._executions,
            "total_duration_us": self._total_ns / 1e3,
            "total_duration_ms": self._total_ns / 1e6,
            "peak_memory_bytes": peak,
            "peak_memory_mb": peak / 2**20,
            "node_metrics": nodes,
            "metrics_overhead_us": overhead_ns / 1e3,
        }


def _peak_memory_bytes() -> int:
    """Most resident memory that this process ever had; 0 where the system does not say."""
    try:
        import resource
    except ImportError:
        return 0
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


_price: list[float] = []


def _record_ns() -> float:
    """What counting one call costs, measured once."""
    if not _price:
        counter: Any = NodeCounter("", "")
        began = time.perf_counter_ns()
        for _ in range(1000):
            before = time.perf_counter_ns()
            counter.record(time.perf_counter_ns() - before, 1, False)
        _price.append((time.perf_counter_ns() - began) / 1000)
    return _price[0]
