"""Media files in and out. Expectations are closed forms, or what Python's own `wave` reads and writes."""

import asyncio
import re
import struct
import sys
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from sample_nodes import Fails, Identity

from remotemedia import Node, NodeError, Pipeline
from remotemedia.nodes import AudioTrackSource, LocalMediaReaderNode, MediaReaderNode, MediaWriterNode, VideoTrackSource
from remotemedia.testing import assert_audio_close, run_node

MEDIA = Path(__file__).resolve().parents[2] / "tests/media"


def write_wav(path, samples, rate=16000):
    """`samples`: int16 of shape (channels, frames)."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(samples))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.T.astype("<i2").tobytes())


def read_wav(path):
    with wave.open(str(path), "rb") as file:
        raw = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return raw.reshape(-1, file.getnchannels()).T, file.getframerate()


def noise(channels, frames, seed=1):
    return np.random.default_rng(seed).integers(-32768, 32768, (channels, frames)).astype(np.int16)


def sine(frames, rate, hz=440.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(frames) / rate)).astype(np.float32)[None]


def read(path, mode="python_cpu", **options):
    """Everything a reader and a track source give, as one (samples, rate)."""
    pieces = run_audio(path, mode, **options)
    rates = {rate for _, rate in pieces}
    assert len(rates) == 1
    return np.concatenate([samples for samples, _ in pieces], axis=1), rates.pop()


def run_audio(path, mode="python_cpu", **options):
    given = Pipeline([MediaReaderNode(path, **options), AudioTrackSource()], mode=mode).run_sync()
    return given if isinstance(given, list) else [given]


def written(path, items, **options):
    Pipeline([MediaWriterNode(path, **options)], mode="python_cpu").run_sync(items)
    return path


def test_a_wav_comes_as_it_is_stored(tmp_path, mode):
    stored = noise(2, 5000)
    write_wav(tmp_path / "in.wav", stored, 44100)
    samples, rate = read(tmp_path / "in.wav", mode)
    assert (samples.dtype, rate) == (np.float32, 44100)
    assert np.array_equal(samples, stored / np.float32(32768))
    assert all(piece.flags.c_contiguous for piece, _ in run_audio(tmp_path / "in.wav", mode))


def test_a_reader_gives_frames_of_av(tmp_path):
    write_wav(tmp_path / "in.wav", noise(1, 100))
    item = Pipeline([MediaReaderNode(str(tmp_path / "in.wav"))]).run_sync()
    assert set(item) == {"audio"} and isinstance(item["audio"], av.AudioFrame)
    assert item["audio"].samples == 100


@pytest.mark.parametrize(
    ("name", "dtype", "scale", "offset"),
    [
        ("u8", np.uint8, 128.0, 128.0),
        ("s16", np.int16, 2.0**15, 0.0),
        ("s32", np.int32, 2.0**31, 0.0),
        ("flt", np.float32, 1.0, 0.0),
        ("dbl", np.float64, 1.0, 0.0),
    ],
)
@pytest.mark.parametrize("planar", [False, True])
def test_every_sample_format_has_its_full_scale(name, dtype, scale, offset, planar):
    wanted = np.array([[-1.0, -0.5, 0.0, 0.25, 0.5], [0.5, 0.25, -0.25, 0.0, -1.0]])
    stored = (wanted * scale + offset).astype(dtype)
    packed = stored if planar else np.ascontiguousarray(stored.T.reshape(1, -1))
    frame = av.AudioFrame.from_ndarray(packed, format=name + "p" * planar, layout="stereo")
    frame.sample_rate = 8000
    samples, rate = AudioTrackSource().process({"audio": frame})
    assert samples.dtype == np.float32 and rate == 8000
    assert samples.flags.c_contiguous and np.array_equal(samples, wanted)


@pytest.mark.parametrize(
    ("name", "snr_db", "least"),
    # FFmpeg's vorbis decoder gives 128 frames less than were encoded.
    [("tone.flac", 85, 44100), ("tone_adpcm.wav", 20, 44100), ("tone.mp3", 25, 44100), ("tone.ogg", 25, 43900)],
)
def test_encoded_files_are_decoded(name, snr_db, least):
    samples, rate = read(MEDIA / name)
    assert rate == 44100 and samples.shape[0] == 2 and samples.shape[1] >= least
    n = np.arange(44100)
    tone = np.stack([0.5 * np.sin(2 * np.pi * 440 * n / 44100), 0.25 * np.sin(2 * np.pi * 1000 * n / 44100)])
    common = slice(0, min(44100, samples.shape[1]))
    assert_audio_close(samples[:, common], tone[:, common], snr_db=snr_db)


def test_reading_is_faster_than_playing(tmp_path):
    import time

    write_wav(tmp_path / "long.wav", noise(1, 600 * 8000), 8000)
    began = time.perf_counter()
    samples, _ = read(tmp_path / "long.wav")
    assert samples.shape[1] == 600 * 8000
    assert time.perf_counter() - began < 60.0  # of 600 s of audio


def test_a_source_is_read_no_faster_than_it_is_taken(tmp_path, mode):
    write_wav(tmp_path / "long.wav", noise(1, 100_000))
    seen = []

    class Notes(Node):
        def process(self, data):
            seen.append(data)
            return data

    async def first():
        async with Pipeline([MediaReaderNode(tmp_path / "long.wav"), Notes()], mode=mode) as pipeline:
            outputs = pipeline.process()
            await outputs.__anext__()
            await outputs.aclose()

    asyncio.run(first())
    assert len(seen) == 1


def test_the_local_reader_and_the_stream_work_too(tmp_path, mode):
    stored = noise(1, 3000)
    write_wav(tmp_path / "in.wav", stored)
    pieces = Pipeline([LocalMediaReaderNode(tmp_path / "in.wav"), AudioTrackSource()], mode=mode).run_sync()
    assert np.array_equal(np.concatenate([samples for samples, _ in pieces], axis=1), stored / np.float32(32768))

    async def streamed():
        async with Pipeline([AudioTrackSource()], mode=mode) as pipeline:
            return [item async for item in pipeline.process(MediaReaderNode(tmp_path / "in.wav").stream())]

    assert sum(samples.shape[1] for samples, _ in asyncio.run(streamed())) == 3000


def test_initialized_nodes_read_the_file_again(tmp_path):
    write_wav(tmp_path / "in.wav", noise(1, 100))

    async def twice():
        async with Pipeline([MediaReaderNode(tmp_path / "in.wav"), AudioTrackSource()]) as pipeline:
            return [(await pipeline.run())[0].shape for _ in range(2)]

    assert asyncio.run(twice()) == [(1, 100), (1, 100)]


def failing(path, **options):
    with pytest.raises(NodeError) as caught:
        read(path, **options)
    return caught.value


def test_files_that_cannot_be_read_are_named(tmp_path):
    missing = failing(tmp_path / "none.wav")
    assert isinstance(missing.__cause__, FileNotFoundError) and missing.operation == "initialize"
    assert "none.wav is not there" in str(missing)
    assert "is a folder" in str(failing(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"none\.wav is not there"):
        LocalMediaReaderNode(tmp_path / "none.wav")
    with pytest.raises(ValueError, match="MediaReaderNode opens addresses"):
        LocalMediaReaderNode("rtsp://camera/1")
    for content in (b"", b"garbage" * 100, bytes(5000)):
        (tmp_path / "bad.wav").write_bytes(content)
        assert "bad.wav is no media file that FFmpeg can read" in str(failing(tmp_path / "bad.wav"))


def test_a_file_without_the_wanted_track_is_an_error(tmp_path):
    write_wav(tmp_path / "a.wav", noise(1, 100))
    written(tmp_path / "v.mp4", [np.zeros((16, 16, 3), np.uint8)] * 3)
    assert "v.mp4 has no audio in it, only video" in str(failing(tmp_path / "v.mp4", track="audio"))
    assert "a.wav has no video in it, only audio" in str(failing(tmp_path / "a.wav", track="video"))
    (tmp_path / "s.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    assert "s.srt has no audio or video in it, only subtitle" in str(failing(tmp_path / "s.srt"))
    with pytest.raises(ValueError, match="track 'both'"):
        MediaReaderNode("a.wav", track="both")


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp4"])
def test_a_file_that_was_cut_off_is_an_error(tmp_path, suffix):
    whole = written(tmp_path / f"whole.{suffix}", [(sine(48000, 16000), 16000)])
    data = whole.read_bytes()
    (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) * 2 // 3])
    error = failing(tmp_path / f"cut.{suffix}")
    assert any(part in str(error) for part in ("ends early", "is damaged", "no media file"))
    assert f"cut.{suffix}" in str(error)


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("a.mov", "pcm_s16le"), ("a.mov", "aac"), ("a.mov", "alac"), ("a.mp4", "aac"), ("a.mp4", "libopus"), ("a.mp4", "flac"),
        ("a.avi", "pcm_s16le"), ("a.avi", "libmp3lame"), ("a.aiff", "pcm_s16be"), ("a.mkv", "pcm_s16le"), ("a.ts", "aac"),
        ("a.caf", "pcm_s16be"), ("a.wav", "adpcm_ima_wav"), ("a.au", "pcm_mulaw"),
    ],
)  # fmt: skip
def test_whole_files_of_other_programs_are_read_whole(tmp_path, name, encoder):
    """However the file counts its packets."""
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(encoder, rate=48000, layout="stereo")
        for at in range(0, 48000, 4800):
            tone = np.tile(sine(48000, 48000)[:, at : at + 4800], (2, 1))
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts, frame.time_base = 48000, at, Fraction(1, 48000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    samples, rate = read(tmp_path / name)
    assert rate == 48000 and abs(samples.shape[1] - 48000) <= 4096
    assert np.sqrt(np.mean(samples[:, 10_000:30_000] ** 2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_the_cover_of_an_audio_file_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.mp3"), "w") as container:
        sound, cover = container.add_stream("libmp3lame", rate=16000, layout="mono"), container.add_stream("png", rate=1)
        cover.width = cover.height = 32
        cover.pix_fmt = "rgb24"
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.AudioFrame.from_ndarray(sine(16000, 16000), format="fltp", layout="mono")
        frame.sample_rate = 16000
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        for stream, content in ((cover, picture), (cover, None), (sound, frame), (sound, None)):
            container.mux(stream.encode(content))
    with av.open(str(tmp_path / "a.mp3")) as container:
        assert len(container.streams.video) == 1
    assert {track for item in Pipeline([MediaReaderNode(tmp_path / "a.mp3")]).run_sync() for track in item} == {"audio"}
    assert "a.mp3 has no video in it" in str(failing(tmp_path / "a.mp3", track="video"))


def test_an_mp4_that_was_cut_off_behind_its_index_is_an_error(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w", container_options={"movflags": "faststart"}) as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(sine(160_000, 16000), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert read(tmp_path / "a.mp4")[0].shape[1] >= 160_000
    for part in (0.6, 0.9):
        (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * part)])
        assert re.search(r"cut\.mp4 (ends early|is damaged)", str(failing(tmp_path / "cut.mp4")))


def test_a_wav_whose_recorder_left_the_length_open_is_whole(tmp_path):
    stored = noise(1, 1000)
    write_wav(tmp_path / "a.wav", stored)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    at = data.index(b"data") + 4
    for length in (0xFFFFFFFF, 0x7FFFF000 + 36):
        data[at : at + 4] = struct.pack("<I", length)
        (tmp_path / "a.wav").write_bytes(data)
        assert read(tmp_path / "a.wav")[0].shape == (1, 1000)


def test_damage_in_the_middle_is_an_error(tmp_path):
    data = bytearray(written(tmp_path / "a.flac", [(noise(1, 100_000), 16000)]).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    (tmp_path / "a.flac").write_bytes(data)
    assert "a.flac is damaged" in str(failing(tmp_path / "a.flac"))


def test_track_sources_drop_what_is_not_theirs():
    assert run_node(AudioTrackSource(), [{"video": 1}, "text", 3, {}]) == []
    with pytest.raises(NodeError, match="TypeError: 'audio' must be an av.AudioFrame, not a int"):
        run_node(AudioTrackSource(), [{"audio": 1}])
    with pytest.raises(NodeError, match="'video' must be an av.VideoFrame, not a AudioFrame"):
        run_node(VideoTrackSource(), [{"video": av.AudioFrame()}])


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_lossless_files_keep_16_bit_samples(tmp_path, mode, suffix):
    samples = noise(2, 10_000)
    pieces = [(samples[:, at : at + 777], 44100) for at in range(0, 10_000, 777)]
    assert Pipeline([MediaWriterNode(tmp_path / f"o.{suffix}")], mode=mode).run_sync(pieces) is None
    got, rate = read(tmp_path / f"o.{suffix}")
    assert rate == 44100 and np.array_equal(got, samples / np.float32(32768))
    assert [path.name for path in tmp_path.iterdir()] == [f"o.{suffix}"]


def test_a_wav_of_integers_is_read_by_others(tmp_path):
    samples = noise(2, 1000)
    got, rate = read_wav(written(tmp_path / "o.wav", [(samples, 22050)]))
    assert rate == 22050 and np.array_equal(got, samples)


def test_a_wav_keeps_floats_as_they_are(tmp_path):
    samples = np.float32([[0.1, -3.5, 1e-9, 0.0, np.nan, np.inf]])
    got, _ = read(written(tmp_path / "o.wav", [(samples, 16000), (samples[0], 16000)]))
    assert np.array_equal(got[0, :4], samples[0, :4])
    assert got[0, 4:].tolist() == [0.0, 1.0, *samples[0, :4].tolist(), 0.0, 1.0]
    wide = (np.int32([[-(2**31), 2**31 - 65536, 123456 << 8]]), 16000)
    assert np.array_equal(read(written(tmp_path / "o.wav", [wide]))[0], np.float32(wide[0] / 2.0**31))


@pytest.mark.parametrize(
    ("suffix", "rate", "wanted_rate", "snr_db"),
    [
        ("flac", 16000, 16000, 130),
        ("mp3", 16000, 16000, 20),
        ("m4a", 44100, 44100, 20),
        ("ogg", 16000, 48000, 20),
        ("ogg", 48000, 48000, 20),
        ("opus", 48000, 48000, 20),
        ("mkv", 16000, 16000, 20),
        ("webm", 48000, 48000, 20),
    ],
)
def test_the_suffix_is_the_format(tmp_path, suffix, rate, wanted_rate, snr_db):
    written(tmp_path / f"o.{suffix}", [(sine(rate // 50, rate, 440.0), rate)] * 100)  # 20 ms are not a whole period
    tone = np.tile(sine(rate // 50, rate, 440.0), 100)
    samples, got_rate = read(tmp_path / f"o.{suffix}")
    assert got_rate == wanted_rate
    assert abs(samples.shape[1] / wanted_rate - 2.0) < 0.1  # some formats pad to whole blocks
    if rate == wanted_rate:
        inner = slice(rate // 2, rate)
        best = max(
            range(-2000, 2001), key=lambda shift: float(tone[0, inner] @ np.roll(samples[0], -shift)[inner])
        )
        assert_audio_close(np.roll(samples, -best, axis=1)[:, inner], tone[:, inner], snr_db=snr_db)


def boxes(count, height=48, width=64):
    """Images of a box that moves by two pixels."""
    images = []
    for number in range(count):
        image = np.full((height, width, 3), 40, np.uint8)
        image[8:24, 2 * number : 2 * number + 16] = (200, 120, 60)
        images.append(image)
    return images


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "avi", "mov"])
def test_images_become_a_video(tmp_path, mode, suffix):
    images = boxes(12)
    Pipeline([MediaWriterNode(tmp_path / f"o.{suffix}", video_rate=10)], mode=mode).run_sync(images)
    read_back = Pipeline([MediaReaderNode(tmp_path / f"o.{suffix}"), VideoTrackSource()], mode=mode).run_sync()
    assert len(read_back) == 12
    for (image, _), original in zip(read_back, images, strict=True):
        assert image.shape == (48, 64, 3) and image.dtype == np.uint8
        assert np.abs(image.astype(int) - original).mean() < 8
    times = [item["video"].time for item in Pipeline([MediaReaderNode(tmp_path / f"o.{suffix}")]).run_sync()]
    assert np.allclose(np.diff(times), 0.1, atol=1e-3)


def test_sizes_that_are_odd_and_images_that_are_grey(tmp_path):
    written(tmp_path / "odd.mp4", boxes(3, 33, 57))
    assert run_node(VideoTrackSource("rgb24"), Pipeline([MediaReaderNode(tmp_path / "odd.mp4")]).run_sync())[0][0].shape == (33, 57, 3)
    grey = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (32, 1))
    written(tmp_path / "grey.mp4", [(grey, 0), (grey, 512)])
    (image, pts), (_, later) = Pipeline([MediaReaderNode(tmp_path / "grey.mp4"), VideoTrackSource("gray")]).run_sync()
    assert np.abs(image.astype(int) - grey).mean() < 4 and pts == 0 < later


def test_sound_and_picture_stay_together(tmp_path, mode):
    """Into one file, out of it, and through a second pipeline into another."""
    items = []
    for number, image in enumerate(boxes(20)):
        items += [image, (sine(1600, 16000), 16000)] if number % 2 else [(sine(1600, 16000), 16000), image]
    Pipeline([MediaWriterNode(tmp_path / "a.mp4", video_rate=10)], mode=mode).run_sync(items)
    Pipeline([MediaReaderNode(tmp_path / "a.mp4"), MediaWriterNode(tmp_path / "b.mkv")], mode=mode).run_sync()
    for name in ("a.mp4", "b.mkv"):
        frames = Pipeline([MediaReaderNode(tmp_path / name)], mode=mode).run_sync()
        images = [frame["video"].time for frame in frames if "video" in frame]
        assert np.allclose(images, np.arange(20) / 10, atol=0.03), name
        sound = [frame["audio"] for frame in frames if "audio" in frame]
        assert abs(sound[0].time) < 0.07 and abs(sum(frame.samples for frame in sound) / 16000 - 2.0) < 0.15, name


def test_a_frame_is_the_same_after_it_was_written(tmp_path):
    written(tmp_path / "a.mp4", boxes(3))
    frames = Pipeline([MediaReaderNode(tmp_path / "a.mp4")]).run_sync()
    before = [(f["video"].pts, f["video"].time_base, f["video"].pict_type) for f in frames]
    written(tmp_path / "b.mp4", frames)
    assert [(f["video"].pts, f["video"].time_base, f["video"].pict_type) for f in frames] == before
    bare = [frame["video"] for frame in frames]
    assert isinstance(bare[0].time_base, Fraction)
    written(tmp_path / "c.mp4", bare)
    assert len(Pipeline([MediaReaderNode(tmp_path / "c.mp4")]).run_sync()) == 3


def test_a_run_that_fails_leaves_no_file(tmp_path, mode):
    target = tmp_path / "o.wav"
    write_wav(target, noise(1, 10))
    before = target.read_bytes()
    nodes = [Identity(), Fails(at=3), MediaWriterNode(target)]

    class Audio(Node):
        def process(self, data):
            return sine(100, 8000), 8000

    nodes.insert(2, Audio())
    with pytest.raises(NodeError, match="no good"):
        Pipeline(nodes, mode=mode).run_sync([1, 2, 3])
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_a_run_that_is_cancelled_leaves_no_file(tmp_path, mode):
    async def endless(begun):
        for number in range(10**9):
            yield sine(100, 8000), 8000
            if number == 100:
                begun.set()
            await asyncio.sleep(0)

    async def main():
        begun = asyncio.Event()

        async def run():
            async with Pipeline([MediaWriterNode(tmp_path / "o.flac")], mode=mode) as pipeline:
                async for _ in pipeline.process(endless(begun)):
                    pass

        task = asyncio.create_task(run())
        await begun.wait()
        assert [path.suffix for path in tmp_path.iterdir()] == [".flac"]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


def test_each_stream_of_initialized_nodes_is_a_file(tmp_path):
    async def main():
        async with Pipeline([MediaWriterNode(tmp_path / "o.wav")]) as pipeline:
            await pipeline.run([(noise(1, 100), 8000)])
            first = read_wav(tmp_path / "o.wav")[0].shape
            await pipeline.run([(noise(1, 200), 8000)])
            return first, read_wav(tmp_path / "o.wav")[0].shape

    assert asyncio.run(main()) == ((1, 100), (1, 200))


def test_nothing_to_write_is_no_file_and_a_warning(tmp_path, caplog):
    written(tmp_path / "o.wav", [])
    written(tmp_path / "o.mp4", [(np.zeros((1, 0), np.float32), 8000)])
    assert list(tmp_path.iterdir()) == []
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "MediaWriterNode: no audio or video came"
    ] * 2


@pytest.mark.parametrize(
    ("name", "items", "part"),
    [
        ("o.wav", [(sine(9, 8000), 8000), (sine(9, 9000), 9000)], "changes from 8000 Hz, 1 channels to 9000 Hz, 1 channels"),
        ("o.wav", [(noise(1, 9), 8000), (noise(2, 9), 8000)], "changes from 8000 Hz, 1 channels to 8000 Hz, 2 channels"),
        ("o.mp4", [boxes(1)[0], boxes(1, 32, 32)[0]], "changes from 64x48 to 32x32"),
        ("o.wav", [boxes(1)[0]], ".wav files hold no video"),
        ("o.wav", ["text"], "a str can be neither written as audio nor as video"),
        ("o.wav", [{"other": 1}], "a dict can be neither"),
        ("o.wav", [(np.zeros((1, 9), np.int64), 8000)], "floats, int16 or int32, not int64"),
        ("o.wav", [(sine(9, 8000), 0)], "whole number of Hz"),
        ("o.nonesuch", [], "knows no file format for '.nonesuch'"),
        ("none/o.wav", [], "there is no folder"),
        (".", [], "is a folder"),
    ],
)
def test_what_cannot_be_written_is_named(tmp_path, mode, name, items, part):
    with pytest.raises(NodeError) as caught:
        Pipeline([MediaWriterNode(tmp_path / name)], mode=mode).run_sync(items)
    assert part in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_video_after_the_file_has_begun_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("remotemedia.core.media._MOST_WAITING_BYTES", 1000)
    with pytest.raises(NodeError, match="video comes too late"):
        written(tmp_path / "o.mp4", [(noise(1, 48000), 16000), boxes(1)[0]])
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "link.wav").symlink_to(tmp_path / "real.wav")
    written(tmp_path / "link.wav", [(noise(1, 10), 8000)])
    assert (tmp_path / "link.wav").is_symlink() and read_wav(tmp_path / "real.wav")[1] == 8000


def test_settings_that_cannot_be_are_refused():
    for rate in (0, -1, 1001):
        with pytest.raises(ValueError, match="video_rate"):
            MediaWriterNode("o.mp4", video_rate=rate)


def test_manifests_name_the_files(tmp_path):
    write_wav(tmp_path / "in.wav", noise(1, 500))
    text = Pipeline([MediaReaderNode(str(tmp_path / "in.wav")), AudioTrackSource(), MediaWriterNode(str(tmp_path / "out.flac"))])
    again = Pipeline.from_manifest(text.serialize())
    assert again.to_manifest()["nodes"][0] == {
        "id": "MediaReaderNode_0", "node_type": "MediaReaderNode", "params": {"path": str(tmp_path / "in.wav")},
    }  # fmt: skip
    assert again.run_sync() is None
    assert read(tmp_path / "out.flac")[0].shape == (1, 500)


def test_without_pyav_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    write_wav(tmp_path / "in.wav", noise(1, 5))
    for nodes, items in (([MediaReaderNode(tmp_path / "in.wav")], None), ([MediaWriterNode(tmp_path / "o.wav")], [1])):
        with pytest.raises(NodeError, match=r"pip install 'remotemedia\[audio\]'") as caught:
            Pipeline(nodes).run_sync(items)
        assert isinstance(caught.value.__cause__, ImportError) and caught.value.operation == "initialize"
