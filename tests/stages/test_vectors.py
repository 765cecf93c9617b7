"""Each text is encoded once, ever; rows carry keys that lead to its vector."""

import shutil

import polars as pl
import pytest

from s1data import StageError, apply
from s1data.acting import act, with_places
from s1data.embedding import encoder_of
from s1data.encoders import model_folder
from s1data.engine import LocalEngine
from s1data.stages.vectors import AddEmbedding

FAST = {"encoder": "tfidf-svd", "dimensions": 4}
COLUMNS = {"question": pl.String(), "n": pl.Int64()}


class Counted:
    """Vectors that count what is stored, and stop as Ctrl-C would after so many puts."""

    def __init__(self, vectors, counts, stop_after):
        self.vectors, self.counts, self.stop_after = vectors, counts, stop_after

    def missing(self, keys):
        return self.vectors.missing(keys)

    def get(self, keys):
        return self.vectors.get(keys)

    def put(self, keys, made):
        if len(self.counts) == self.stop_after:
            raise KeyboardInterrupt
        self.vectors.put(keys, made)
        self.counts.append(len(keys))


class CountingEngine(LocalEngine):
    def __init__(self, home, stop_after=None):
        self.ticks, self.puts, self.stop_after = [], [], stop_after
        super().__init__(read={}.__getitem__, vectors_home=home, progress=self._tick)

    def _tick(self, done, of):
        self.ticks.append((done, of))

    def vectors(self, encoder):
        return Counted(super().vectors(encoder), self.puts, self.stop_after)


def pool_of(texts):
    return with_places(pl.DataFrame({"question": texts}, schema={"question": pl.String}))


def run(stage, rows, engine):
    return act(stage, rows, engine).added.get_column("embedding")


POOL = pool_of([f"What is {n} plus {n}?" if n % 50 else f"Name {n} primes." for n in range(300)])


def test_a_second_run_encodes_nothing(tmp_path):
    first, second = CountingEngine(tmp_path), CountingEngine(tmp_path)
    keys = run(AddEmbedding(), POOL, first)
    assert sum(first.puts) == POOL.height
    assert (first.ticks[0], first.ticks[-1]) == ((0, 300), (300, 300))
    assert first.ticks == sorted(first.ticks)
    assert (
        run(AddEmbedding(), POOL.sample(fraction=1, shuffle=True, seed=1), second)
        .sort()
        .equals(keys.sort())
    )
    assert second.puts == []
    assert second.ticks[-1] == (300, 300)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    whole, stopped = (
        CountingEngine(tmp_path / "whole"),
        CountingEngine(tmp_path / "on", stop_after=1),
    )
    with pytest.raises(KeyboardInterrupt):
        run(AddEmbedding(), POOL, stopped)
    resumed = CountingEngine(tmp_path / "on")
    keys = run(AddEmbedding(), POOL, resumed)
    assert stopped.puts
    assert sum(stopped.puts) + sum(resumed.puts) == POOL.height
    assert keys.equals(run(AddEmbedding(), POOL, whole))
    encoder = encoder_of(keys)
    one, other = (engine.vectors(encoder).get(keys) for engine in (whole, resumed))
    assert one.tobytes() == other.tobytes()


def test_rows_with_the_same_text_share_a_key_and_a_text_that_is_null_has_none(tmp_path):
    engine = CountingEngine(tmp_path)
    a, b, again, none, empty = run(
        AddEmbedding(**FAST), pool_of(["a word", "b", "a word", None, ""]), engine
    )
    assert a == again
    assert none is None
    assert len({a, b, empty}) == 3
    assert engine.puts == [3]


@pytest.mark.parametrize("texts", [[], [None]])
def test_nothing_to_embed_is_no_error(tmp_path, texts):
    engine = CountingEngine(tmp_path)
    assert run(AddEmbedding(**FAST), pool_of(texts), engine).to_list() == texts
    outcome = act(AddEmbedding(**FAST), pool_of(texts), engine)
    assert AddEmbedding(**FAST).usable(outcome.artefact, engine)


def test_another_column_can_be_embedded():
    frame = pl.DataFrame({"question": ["a", "b"], "solution": ["two words", "two words"]})
    one, other = apply(AddEmbedding(of="solution", **FAST), frame).added["embedding"]
    assert one == other


def test_a_row_more_is_another_fit_of_tfidf_but_not_of_a_model(tmp_path):
    engine = CountingEngine(tmp_path)
    less, more = POOL.head(5), POOL.head(6)
    fast = AddEmbedding(**FAST)
    assert encoder_of(run(fast, less, engine)) != encoder_of(run(fast, more, engine))
    slow = AddEmbedding()
    assert run(slow, less, engine).equals(run(slow, more, engine).head(5))


def test_an_artefact_stands_as_long_as_every_vector_is_there(tmp_path):
    engine, stage = CountingEngine(tmp_path), AddEmbedding(**FAST)
    outcome = act(stage, POOL, engine)
    assert stage.usable(outcome.artefact, engine)
    (part,) = tmp_path.rglob("part-*.npy")
    part.unlink()
    assert not stage.usable(outcome.artefact, engine)
    again = act(stage, POOL, engine)
    assert again.artefact.equals(outcome.artefact)
    assert stage.usable(outcome.artefact, engine)


def test_a_folder_with_another_model_in_it_is_another_encoder(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(
        model_folder("all-MiniLM-L6-v2"), folder, ignore=shutil.ignore_patterns("*.safetensors")
    )
    (folder / "model.safetensors").symlink_to(
        model_folder("all-MiniLM-L6-v2") / "model.safetensors"
    )
    engine, stage = CountingEngine(tmp_path / "vectors"), AddEmbedding(encoder=str(folder))
    outcome = act(stage, POOL.head(3), engine)
    assert stage.usable(outcome.artefact, engine)
    assert outcome.artefact.equals(act(AddEmbedding(), POOL.head(3), engine).artefact), (
        "same content"
    )
    (folder / "vocab.txt").write_text("another")
    assert not stage.usable(outcome.artefact, engine)


def test_a_model_that_cannot_be_had_names_the_stage():
    with pytest.raises(StageError, match="stage add_embedding: encoder nobody/nothing: "):
        apply(AddEmbedding(encoder="nobody/nothing"), pl.DataFrame({"question": ["a"]}))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, None),
        (FAST, None),
        ({"encoder": "someone/model", "revision_pin": "abc", "max_tokens": 64}, None),
        ({"dimensions": 64}, "dimensions"),
        (FAST | {"max_tokens": 64}, "max_tokens"),
        (FAST | {"revision_pin": "abc"}, "revision_pin"),
        ({"encoder": "/"}, "encoder"),
        ({"encoder": "MiniLM"}, "encoder"),
        ({"of": "n"}, "of"),
    ],
)
def test_fields_that_do_not_go_together_are_found_before_anything_runs(fields, field):
    problems = list(AddEmbedding(**fields).check(COLUMNS, {}))
    assert [p.field for p in problems] == ([field] if field else [])
