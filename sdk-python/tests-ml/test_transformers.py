"""The nodes on the library transformers, with tiny models of random weights that the tests make: no network."""

import json
import sys

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from remotemedia import NodeError, Pipeline
from remotemedia.nodes import TransformersPipelineNode, UltravoxNode, WhisperTranscriptionNode
from remotemedia.nodes.ml import ModelError
from remotemedia.testing import run_node

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "media", "nodes"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """The folder of a classifier of texts."""
    folder = tmp_path_factory.mktemp("classifier")
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(1)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, id2label={0: "down", 1: "up"}, label2id={"down": 0, "up": 1}, initializer_range=1.0,
    )  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    return str(folder)


TEXTS = ["good media", "bad", "nodes bad media", "good good good"]


@pytest.fixture(scope="module")
def expected(classifier):
    """What the model itself says, text by text: softmax of its logits."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(classifier)
    model = transformers.BertForSequenceClassification.from_pretrained(classifier).eval()
    said = []
    for text in TEXTS:
        with torch.no_grad():
            chances = model(**tokenizer(text, return_tensors="pt")).logits.softmax(-1)[0]
        said.append((["down", "up"][int(chances.argmax())], float(chances.max())))
    assert len({label for label, _ in said}) == 2
    return said


def test_texts_are_classified_as_by_the_model(classifier, expected, mode):
    out = run_node(TransformersPipelineNode("text-classification", classifier), TEXTS, mode=mode)
    assert [answer["label"] for (answer,) in out] == [label for label, _ in expected]
    np.testing.assert_allclose([answer["score"] for (answer,) in out], [score for _, score in expected], rtol=1e-5)


def test_batches_give_the_same_and_the_rest_comes_at_the_end(classifier, expected, mode):
    node = TransformersPipelineNode("text-classification", classifier, device="cpu", batch_size=3, example=TEXTS[0])
    out = run_node(node, TEXTS, mode=mode)
    assert [answer["label"] for answer in out] == [label for label, _ in expected]
    np.testing.assert_allclose([answer["score"] for answer in out], [score for _, score in expected], rtol=1e-5)


def test_batches_reach_the_pipeline_whole(classifier, monkeypatch):
    calls = []
    node = TransformersPipelineNode("text-classification", classifier, batch_size=3)
    whole = transformers.TextClassificationPipeline.__call__

    def recorded(self, inputs, **kwargs):
        calls.append((inputs, kwargs))
        return whole(self, inputs, **kwargs)

    monkeypatch.setattr(transformers.TextClassificationPipeline, "__call__", recorded)
    run_node(node, TEXTS)
    assert calls == [(TEXTS[:3], {"batch_size": 3}), (TEXTS[3:], {"batch_size": 3})]


def test_arguments_of_calls_and_of_the_pipeline_are_passed_on(classifier):
    node = TransformersPipelineNode(
        "text-classification", classifier, model_kwargs={"dtype": torch.float64}, call_kwargs={"top_k": 2}
    )
    (out,) = run_node(node, TEXTS[:1])
    assert {answer["label"] for answer in out} == {"down", "up"}
    assert sum(answer["score"] for answer in out) == pytest.approx(1.0, abs=1e-6)


def test_a_model_object_may_be_given(classifier, expected):
    model = transformers.BertForSequenceClassification.from_pretrained(classifier)
    tokenizer = transformers.AutoTokenizer.from_pretrained(classifier)
    node = TransformersPipelineNode("text-classification", model, model_kwargs={"tokenizer": tokenizer})
    ((answer,),) = run_node(node, TEXTS[:1])
    assert answer["label"] == expected[0][0]


def test_it_is_made_from_manifests(classifier, expected):
    pipeline = Pipeline([TransformersPipelineNode("text-classification", classifier)])
    (answer,) = Pipeline.from_manifest(pipeline.serialize()).run_sync(TEXTS[0])
    assert answer["label"] == expected[0][0]


def test_a_model_that_is_not_there_offline_is_an_error_of_initialize(mode):
    for node in (TransformersPipelineNode("text-classification", "nobody/nonesuch"), WhisperTranscriptionNode("nobody/nonesuch")):
        with pytest.raises(NodeError, match="cannot load the model 'nobody/nonesuch'") as raised:
            run_node(node, ["x"], mode=mode)
        assert raised.value.operation == "initialize"
        assert isinstance(raised.value.__cause__, ModelError)


def test_audio_becomes_what_audio_tasks_take():
    torch.manual_seed(2)
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8, 8),
        conv_kernel=(10, 3), conv_stride=(5, 2), num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2,
        classifier_proj_size=8, id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1}, vocab_size=8,
    )  # fmt: skip
    model = transformers.Wav2Vec2ForSequenceClassification(config).eval()
    extractor = transformers.Wav2Vec2FeatureExtractor()
    node = TransformersPipelineNode("audio-classification", model, model_kwargs={"feature_extractor": extractor})
    samples = np.random.default_rng(3).normal(0, 0.1, (2, 16000)).astype(np.float32)
    (out,) = run_node(node, [(samples, 16000)])
    inputs = extractor(samples.mean(axis=0), sampling_rate=16000, return_tensors="pt")
    with torch.no_grad():
        chances = model(**inputs).logits.softmax(-1)[0].tolist()
    assert {answer["label"]: pytest.approx(answer["score"], rel=1e-4) for answer in out} == dict(zip("ab", chances, strict=True))


@pytest.fixture(scope="module")
def whisper(tmp_path_factory):
    """The folder of a Whisper of random weights."""
    folder = tmp_path_factory.mktemp("whisper")
    # One token for every byte, and the special ones.
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    vocabulary = {token: number for number, token in enumerate(alphabet + special)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    tokenizer = transformers.WhisperTokenizer.from_pretrained(folder)
    end, start = vocabulary["<|endoftext|>"], vocabulary["<|startoftranscript|>"]
    torch.manual_seed(4)
    config = transformers.WhisperConfig(
        vocab_size=len(vocabulary), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=80, max_target_positions=64,
        decoder_start_token_id=start, bos_token_id=end, eos_token_id=end, pad_token_id=end, init_std=1.0,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config = transformers.GenerationConfig(
        decoder_start_token_id=start, bos_token_id=end, eos_token_id=end, pad_token_id=end, max_new_tokens=8,
        no_timestamps_token_id=vocabulary["<|notimestamps|>"], is_multilingual=False,
    )  # fmt: skip
    model.save_pretrained(folder)
    transformers.WhisperProcessor(transformers.WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return str(folder)


def heard_by_the_model(whisper, samples):
    """What the model says about mono samples at 16 kHz, without any pipeline."""
    processor = transformers.WhisperProcessor.from_pretrained(whisper)
    model = transformers.WhisperForConditionalGeneration.from_pretrained(whisper).eval()
    features = processor(samples, sampling_rate=16000, return_tensors="pt").input_features
    with torch.no_grad():
        tokens = model.generate(features, max_new_tokens=8, num_beams=1)
    return processor.batch_decode(tokens, skip_special_tokens=True)[0].strip()


def test_whisper_hears_stretch_after_stretch_and_the_rest(whisper, mode):
    samples = np.random.default_rng(5).normal(0, 0.1, 16000 * 5 // 2).astype(np.float32)
    chunks = [(samples[np.newaxis, begin : begin + 1000], 16000) for begin in range(0, samples.size, 1000)]
    # Whisper's pipeline searches with five beams unless told otherwise.
    generation = {"max_new_tokens": 8, "num_beams": 1}
    node = WhisperTranscriptionNode(whisper, device="cpu", buffer_duration_s=1, generate_kwargs=generation)
    out = run_node(node, chunks, mode=mode)
    stretches = [samples[:16000], samples[16000:32000], samples[32000:]]
    texts = [heard_by_the_model(whisper, stretch) for stretch in stretches]
    assert any(texts)
    assert out == [(text,) for text in texts if text]


class _Ultravox:
    """What UltravoxNode asks of the model's own pipeline, with a record of it. The models are too large for a test."""

    def __init__(self):
        self.calls = []

    def __call__(self, asked, **kwargs):
        self.calls.append((asked, kwargs))
        return ["An answer. ", [{"generated_text": "Another."}], ""][len(self.calls) - 1]


def test_ultravox_is_asked_as_its_model_card_says(monkeypatch, mode):
    model, loaded = _Ultravox(), []

    def pipeline(**kwargs):
        loaded.append(kwargs)
        return model

    monkeypatch.setattr(sys.modules["transformers"], "pipeline", pipeline)
    node = UltravoxNode("someone/ultravox", device="cpu", max_new_tokens=9, system_prompt="Be brief.", revision="abc")
    audio = (np.zeros((2, 4000), np.float32), 8000)
    assert run_node(node, [audio, audio, audio], mode=mode) == [("An answer.",), ("Another.",)]
    assert loaded == [
        {"model": "someone/ultravox", "revision": "abc", "device": "cpu", "dtype": torch.float32, "trust_remote_code": True}
    ]
    asked, kwargs = model.calls[0]
    assert kwargs == {"max_new_tokens": 9}
    assert (asked["audio"].shape, asked["sampling_rate"]) == ((8000,), 16000)
    assert asked["turns"] == [{"role": "system", "content": "Be brief."}]
