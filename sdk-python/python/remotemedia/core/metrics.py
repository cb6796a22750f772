"""What a pipeline counts, in the shape that the native engine reports too."""

from __future__ import annotations

import itertools
import sys
import time
from typing import Any, TypedDict

_numbers = itertools.count()


class TimeBucket(TypedDict):
    """How many times are below a bound, a power of two of nanoseconds, and not below half of it."""

    below_us: float
    count: int


class TimeMetrics(TypedDict):
    """Times of something, in microseconds."""

    count: int
    total_us: float
    avg_us: float
    min_us: float
    max_us: float
    p50_us: float
    p90_us: float
    p99_us: float
    histogram_us: list[TimeBucket]


class NodeMetrics(TypedDict):
    """What one node did. Durations are of calls of `process`, in microseconds. Percentiles are right within 0.8 % for one
    native run; over several runs, and in Python's own mode, they are read off `duration_histogram_us`.
    """

    node_id: str
    node_type: str
    served_by: str
    stage: int
    execution_count: int
    success_count: int
    error_count: int
    success_rate: float
    errors_by_kind: dict[str, int]
    packets_in: int
    packets_out: int
    bytes_in: int
    bytes_out: int
    total_duration_us: float
    avg_duration_us: float
    min_duration_us: float
    max_duration_us: float
    p50_duration_us: float
    p90_duration_us: float
    p99_duration_us: float
    duration_histogram_us: list[TimeBucket]
    queue_wait: TimeMetrics | None
    queue_high_water_packets: int | None
    dropped: int
    gil_wait_us: float | None
    memory_bytes: int | None
    peak_memory_bytes: int | None
    restarts: int
    retries: int
    skipped: int
    fallback_counts: dict[str, int]
    breaker: str | None


class PipelineMetrics(TypedDict):
    """What a pipeline did in all its runs."""

    schema_version: int
    pipeline_id: str
    pipeline_name: str
    ended: bool
    total_executions: int
    total_duration_us: float
    total_duration_ms: float
    cpu_time_us: float
    audio_seconds: float
    real_time_factor: float | None
    peak_memory_bytes: int
    peak_memory_mb: float
    resident_memory_bytes: int
    node_metrics: list[NodeMetrics]
    queue_metrics: list[dict[str, Any]]
    threads_left_behind: int
    interruptions: int
    interrupted_packets: int
    metrics_overhead_us: float


#: What the native engine counts beside calls and times; of Python's own calls all of it is nothing.
_ADDED = ("bytes_in", "bytes_out", "dropped", "restarts", "retries", "skipped", "gil_wait_us")
_MOST = ("queue_high_water_packets", "peak_memory_bytes")
_LAST = ("stage", "memory_bytes", "breaker", "queue_wait")


def _nothing() -> dict[str, Any]:
    nothing: dict[str, Any] = dict.fromkeys(_ADDED, 0)
    nothing.update(dict.fromkeys((*_MOST, *_LAST)), gil_wait_us=None, stage=0)
    return nothing


class NodeCounter:
    """Counts the calls of one node."""

    __slots__ = (
        "calls", "errors", "errors_by_kind", "exact", "fallbacks", "longest_ns", "more", "node_id", "node_type", "outputs",
        "powers", "served_by", "shortest_ns", "succeeded", "total_ns",
    )  # fmt: skip

    def __init__(self, node_id: str, node_type: str) -> None:
        self.node_id: str = node_id
        self.node_type: str = node_type
        self.served_by: str = "python_cpu"
        self.calls: int = 0
        self.errors: int = 0
        self.succeeded: int = 0
        self.outputs: int = 0
        self.total_ns: int = 0
        self.longest_ns: int = 0
        self.shortest_ns: int = sys.maxsize
        self.powers: dict[int, int] = {}
        self.errors_by_kind: dict[str, int] = {}
        self.fallbacks: dict[str, int] = {}
        self.exact: tuple[float, float, float] | None = None
        self.more: dict[str, Any] = _nothing()

    def record(self, took_ns: int, outputs: int, failed: str | None) -> None:
        """One call of `process`, which failed with an error of kind `failed`."""
        self.exact = None
        self.served_by = "python_cpu"
        self.calls += 1
        self.outputs += outputs
        self.total_ns += took_ns
        self.shortest_ns = min(self.shortest_ns, took_ns)
        self.longest_ns = max(self.longest_ns, took_ns)
        power = took_ns.bit_length()
        self.powers[power] = self.powers.get(power, 0) + 1
        if failed is not None:
            self.errors += 1
            self.errors_by_kind[failed] = self.errors_by_kind.get(failed, 0) + 1
        else:
            self.succeeded += 1

    def absorb(self, node: dict[str, Any]) -> None:
        """Adds what the native engine counted in one stream."""
        self.exact = None
        if self.calls == 0 and node["execution_count"]:
            self.exact = (node["p50_duration_us"], node["p90_duration_us"], node["p99_duration_us"])
        self.served_by = node["served_by"]
        self.calls += node["execution_count"]
        self.errors += node["error_count"]
        self.succeeded += node["success_count"]
        self.outputs += node["packets_out"]
        self.total_ns += round(1e3 * node["total_duration_us"])
        if node["execution_count"]:
            self.shortest_ns = min(self.shortest_ns, round(1e3 * node["min_duration_us"]))
            self.longest_ns = max(self.longest_ns, round(1e3 * node["max_duration_us"]))
        for bucket in node["duration_histogram_us"]:
            if bucket["count"]:
                power = round(1e3 * bucket["below_us"]).bit_length() - 1
                self.powers[power] = self.powers.get(power, 0) + bucket["count"]
        for mine, theirs in (
            (self.errors_by_kind, node["errors_by_kind"]),
            (self.fallbacks, node["fallback_counts"]),
        ):
            for name, count in theirs.items():
                mine[name] = mine.get(name, 0) + count
        for name in _ADDED:
            if node[name] is not None:
                self.more[name] = (self.more[name] or 0) + node[name]
        for name in _MOST:
            if node[name] is not None:
                self.more[name] = max(self.more[name] or 0, node[name])
        for name in _LAST:
            self.more[name] = node[name]

    def snapshot(self) -> NodeMetrics:
        """The counts so far."""
        calls = self.calls
        shortest, longest = self.shortest_ns / 1e3 if calls else 0.0, self.longest_ns / 1e3
        p50, p90, p99 = self.exact or tuple(
            min(max(_quantile_ns(self.powers, share) / 1e3, shortest), longest) for share in (0.5, 0.9, 0.99)
        )
        metrics: Any = {
            "node_id": self.node_id,
            "node_type": self.node_type,
            "served_by": self.served_by,
            "execution_count": calls,
            "success_count": self.succeeded,
            "error_count": self.errors,
            "success_rate": self.succeeded / calls if calls else 1.0,
            "errors_by_kind": dict(self.errors_by_kind),
            "packets_in": calls,
            "packets_out": self.outputs,
            "total_duration_us": self.total_ns / 1e3,
            "avg_duration_us": self.total_ns / 1e3 / calls if calls else 0.0,
            "min_duration_us": shortest,
            "max_duration_us": longest,
            "p50_duration_us": p50,
            "p90_duration_us": p90,
            "p99_duration_us": p99,
            "duration_histogram_us": _histogram(self.powers),
            "fallback_counts": dict(self.fallbacks),
            **self.more,
        }
        done: NodeMetrics = metrics
        return done


def _histogram(powers: dict[int, int]) -> list[TimeBucket]:
    """The counts below each power of two of nanoseconds, from the first to the last that is not empty."""
    if not powers:
        return []
    filled = range(min(powers), max(powers) + 1)
    return [{"below_us": 2**power / 1e3, "count": powers.get(power, 0)} for power in filled]


def _quantile_ns(powers: dict[int, int], share: float) -> float:
    """The time that `share` of all times do not exceed, as if the times in a range were spread evenly."""
    rank, seen = share * sum(powers.values()), 0
    for power in sorted(powers):
        count = powers[power]
        if seen + count >= rank:
            low = 2.0 ** (power - 1) if power else 0.0
            return low + (2.0**power - low) * (rank - seen) / count
        seen += count
    return 0.0


class Counters:
    """Counts of a pipeline over all its runs."""

    def __init__(self, pipeline_name: str) -> None:
        self._name = pipeline_name
        self._id = f"{pipeline_name}-{next(_numbers)}"
        self._nodes: dict[str, NodeCounter] = {}
        self._executions = 0
        self._total_ns = 0
        self._cpu_us = 0.0
        self._audio_seconds = 0.0
        self._queues: list[dict[str, Any]] = []
        self._left_behind = 0
        self._interruptions = [0, 0]
        self._engine_overhead_us = 0.0

    def of(self, node_id: str, node_type: str) -> NodeCounter:
        """The counter of a node."""
        return self._nodes.setdefault(node_id, NodeCounter(node_id, node_type))

    def absorb(self, counted: dict[str, Any]) -> None:
        """Adds what the native engine counted in one stream. Queues are those of the last one."""
        for node in counted["node_metrics"]:
            self.of(node["node_id"], node["node_type"]).absorb(node)
        self._cpu_us += counted["cpu_time_us"]
        self._audio_seconds += counted["audio_seconds"]
        self._queues = counted["queue_metrics"]
        self._left_behind = counted["threads_left_behind"]
        self._interruptions[0] += counted["interruptions"]
        self._interruptions[1] += counted["interrupted_packets"]
        self._engine_overhead_us += counted["metrics_overhead_us"]

    def ran(self, took_ns: int, cpu_ns: int = 0) -> None:
        """One run is over. `cpu_ns` is the processor time that the native engine did not count."""
        self._cpu_us += cpu_ns / 1e3
        self._executions += 1
        self._total_ns += took_ns

    def snapshot(self) -> PipelineMetrics:
        """Everything counted so far."""
        began = time.perf_counter_ns()
        nodes = [counter.snapshot() for counter in self._nodes.values()]
        own_calls = sum(counter.calls for counter in self._nodes.values() if counter.served_by == "python_cpu")
        resident, seconds = _resident_memory_bytes(), self._total_ns / 1e9
        peak = max(_peak_memory_bytes(), resident)
        overhead_ns = time.perf_counter_ns() - began + own_calls * _record_ns()
        return {
            "schema_version": 1,
            "pipeline_id": self._id,
            "pipeline_name": self._name,
            "ended": True,
            "total_executions": self._executions,
            "total_duration_us": self._total_ns / 1e3,
            "total_duration_ms": self._total_ns / 1e6,
            "cpu_time_us": self._cpu_us,
            "audio_seconds": self._audio_seconds,
            "real_time_factor": seconds / self._audio_seconds if self._audio_seconds else None,
            "peak_memory_bytes": peak,
            "peak_memory_mb": peak / 2**20,
            "resident_memory_bytes": resident,
            "node_metrics": nodes,
            "queue_metrics": self._queues,
            "threads_left_behind": self._left_behind,
            "interruptions": self._interruptions[0],
            "interrupted_packets": self._interruptions[1],
            "metrics_overhead_us": overhead_ns / 1e3 + self._engine_overhead_us,
        }


def _resident_memory_bytes() -> int:
    """Resident memory of this process now; 0 where the system does not say."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            lines = [line for line in status if line.startswith("VmRSS:")]
        return int(lines[0].split()[1]) * 1024
    except (OSError, IndexError, ValueError):
        return 0


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
            counter.record(time.perf_counter_ns() - before, 1, None)
        _price.append((time.perf_counter_ns() - began) / 1000)
    return _price[0]
