from __future__ import annotations

import pytest

from sandbox.broker import Broker
from sandbox.embedding import DIMENSION, Embedder


def test_embeddings_are_counted_against_the_allowance() -> None:
    broker = Broker(Embedder(), embed_allowance=3)
    assert len(broker.answer({"call": "embed", "texts": ["knife", "fridge"]})["result"]) == 2
    assert "allowance of 3" in broker.answer({"call": "embed", "texts": ["a", "b"]})["error"]
    assert "result" in broker.answer({"call": "embed", "texts": ["a"]})
    assert (broker.calls, broker.embedded_texts) == (3, 3)


@pytest.mark.parametrize("request_", [{}, {"call": "llm"}, {"call": "embed"}, {"call": "embed", "texts": ["a", 1]}])
def test_what_is_no_call_is_refused(request_: dict[str, object]) -> None:
    assert "error" in Broker(Embedder()).answer(request_)


@pytest.mark.parametrize("texts", [["x"] * 1001, ["x" * 300_001]], ids=["many", "long"])
def test_a_batch_has_a_limit(texts: list[str]) -> None:
    assert "at most 1000 texts" in Broker(Embedder()).answer({"call": "embed", "texts": texts})["error"]


def test_without_an_embedder_embedding_is_refused() -> None:
    assert "no embedder" in Broker(None).answer({"call": "embed", "texts": ["a"]})["error"]


def test_vectors_are_unit_and_do_not_depend_on_the_batch() -> None:
    embed = Embedder()
    together = embed(["take the knife", "open the fridge door slowly", "café ☕"])
    assert together == [Embedder()([text])[0] for text in ("take the knife", "open the fridge door slowly", "café ☕")]
    for vector in together:
        assert len(vector) == DIMENSION
        assert sum(each * each for each in vector) == pytest.approx(1, abs=1e-4)


def test_like_meanings_lie_nearer() -> None:
    knife, blade, weather = Embedder()(["slice it with a knife", "cut it with a blade", "rain is expected tomorrow"])
    assert sum(a * b for a, b in zip(knife, blade, strict=True)) > sum(
        a * b for a, b in zip(knife, weather, strict=True)
    )


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_text_without_words_is_nowhere(text: str) -> None:
    assert Embedder()([text]) == [[0.0] * DIMENSION]
