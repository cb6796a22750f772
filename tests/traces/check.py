"""Reads a trace with Perfetto's own classes, checks that it is sound, and prints what is in it as JSON.

Sound: every event lies on a track that was described before, begins and ends of slices pair up on every track and never go
back in time, every way of a packet begins at one slice and ends at no more than one.
"""

import json
import sys
from collections import Counter, defaultdict

from perfetto.protos.perfetto.trace import perfetto_trace_pb2 as proto

trace = proto.Trace()
with open(sys.argv[1], "rb") as file:
    trace.ParseFromString(file.read())
begin, end, instant, counter = (proto.TrackEvent.Type.Value(f"TYPE_{name}") for name in ("SLICE_BEGIN", "SLICE_END", "INSTANT", "COUNTER"))

tracks, parents, units, slices, opened = {}, {}, {}, [], defaultdict(list)
last, begun, ended, depths = defaultdict(int), Counter(), Counter(), defaultdict(list)
instants = []
for packet in trace.packet:
    assert packet.trusted_packet_sequence_id == 1
    if packet.HasField("track_descriptor"):
        track = packet.track_descriptor
        assert track.uuid not in tracks and (not track.HasField("parent_uuid") or track.parent_uuid in tracks)
        tracks[track.uuid] = track.name or track.process.process_name
        parents[track.uuid] = tracks.get(track.parent_uuid)
        units[track.uuid] = track.counter.unit_name if track.HasField("counter") else None
        continue
    event, at = packet.track_event, packet.timestamp
    assert event.track_uuid in tracks, event
    assert at >= last[event.track_uuid] or event.type == instant, (tracks[event.track_uuid], at)
    last[event.track_uuid] = max(at, last[event.track_uuid])
    values = {note.name: getattr(note, note.WhichOneof("value")) for note in event.debug_annotations}
    if event.type == begin:
        begun.update(event.flow_ids if event.categories[:] not in (["queue"], ["blocked"]) else [])
        ended.update(event.terminating_flow_ids)
        opened[event.track_uuid].append((event, at, values))
    elif event.type == end:
        first, since, values = opened[event.track_uuid].pop()
        inside = opened[event.track_uuid][-1][0].name if opened[event.track_uuid] else None
        slices.append(
            {
                "track": tracks[event.track_uuid],
                "parent": parents[event.track_uuid],
                "name": first.name,
                "inside": inside,
                "begin_ns": since,
                "ns": at - since,
                "ways": list(first.flow_ids) + list(first.terminating_flow_ids),
                **values,
            }
        )
    elif event.type == counter:
        assert units[event.track_uuid] == "packets"
        depths[tracks[event.track_uuid]].append(event.counter_value)
    else:
        assert event.type == instant
        instants.append(event.name)
assert not any(opened.values()), "a slice does not end"
assert set(begun.values()) <= {1} and set(ended.values()) <= {1}
assert set(ended) <= set(begun), "a way ends that nobody began"
print(json.dumps({"tracks": list(tracks.values()), "slices": slices, "depths": depths, "instants": instants, "open_ways": len(begun) - len(ended)}))
