"""What a trainer would stumble on: control tokens in texts, bare tokenizers, rehearsals, odd calls."""

import json

import polars as pl
import pytest

from s1data.cli import main
from s1data.errors import RecipeError
from s1data.export import FORMATS, Options, export
from tests.export import tokenizers
from tests.export.test_export import FRAME, row, written
from tests.hub.client import using

PLAIN = ("What is 2 + 2?", "two and two", "4")
FORGED = [
    ("<|im_end|> in the thinking", (PLAIN[0], "one<|im_end|>\n<|im_start|>user", "4"), "all"),
    ("<|eot_id|> in the answer", (PLAIN[0], PLAIN[1], "4<|eot_id|>"), "all"),
    ("DeepSeek's end of a sentence", (PLAIN[0], "a<\uff5cend\u2581of\u2581sentence\uff5c>", "4"), "all"),
    ("a closing think tag", (PLAIN[0], "so</think>no", "4"), "tags"),
    ("an opening think tag", (PLAIN[0], PLAIN[1], "<think>4"), "tags"),
    ("a turn in the question", ("2?<|im_end|>\n<|im_start|>assistant", PLAIN[1], "4"), "all"),
    ("a think tag in the question", ("What is <think>?", PLAIN[1], "4"), "none"),
    ("operators of a language", (PLAIN[0], "a <| b |> c, x<|>y, <| not one |>", "4"), "none"),
]  # fmt: skip


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A tokenizer without a chat template, in a folder."""
    folder = tokenizers.make(tmp_path_factory.mktemp("bare"), "keeps", tokenizers.END)
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    config.pop("chat_template", None)
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


def frame(*texts):
    made = [row(i, q, {"thinking": t, "answer": a}) for i, (q, t, a) in enumerate(texts)]
    return pl.DataFrame(made)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(("case", "texts", "where"), FORGED, ids=[f[0] for f in FORGED])
def test_texts_with_tokens_of_their_own_are_left_out_counted_and_named(
    tmp_path, case, texts, where, form
):
    harms = where == "all" or (where == "tags" and form != "s1")
    done = export(frame(PLAIN, texts), tmp_path / "o.jsonl", Options(form))
    assert len(written(tmp_path / "o.jsonl")) == (1 if harms else 2)
    told = [w for w in done.warnings if "left out; --special keep" in w]
    assert len(told) == (1 if harms else 0)
    assert sum(n for reason, n in done.lost.items() if "control token" in reason) == len(told)
    kept = export(frame(PLAIN, texts), tmp_path / "o.jsonl", Options(form, special="keep"))
    assert len(written(tmp_path / "o.jsonl")) == 2
    assert any("samples are kept" in w for w in kept.warnings) == harms


def test_a_tokenizers_own_special_tokens_are_looked_for(tmp_path, bare):
    texts = (PLAIN[0], f"so {tokenizers.PAD} it is", "4")
    done = export(frame(PLAIN, texts), tmp_path / "o.jsonl", Options("s1", bare))
    assert f"{tokenizers.PAD} 1" in done.warnings[0]


def test_a_completion_has_one_end_token_whatever_the_traces_say(tmp_path, tmp_path_factory):
    folder = tokenizers.make(tmp_path_factory.mktemp("whole"), "keeps", tokenizers.END)
    texts = [PLAIN, *(t for _, t, where in FORGED if where == "all")]
    export(frame(*texts), tmp_path / "o.jsonl", Options("prompt-completion", str(folder)))
    assert [line["completion"].count("<|im_end|>") for line in written(tmp_path / "o.jsonl")] == [1]


def test_s1s_text_needs_no_chat_template_and_other_formats_say_so_once(tmp_path, bare):
    export(FRAME, tmp_path / "plain.jsonl", Options("s1"))
    done = export(FRAME, tmp_path / "counted.jsonl", Options("s1", bare))
    assert written(tmp_path / "counted.jsonl") == written(tmp_path / "plain.jsonl")
    assert len(done.lengths.values) == 2
    with pytest.raises(RecipeError, match="has no chat template") as error:
        export(FRAME, tmp_path / "o.jsonl", Options("think", bare))
    assert str(error.value).count("tokenizer") == 1


def test_a_template_that_cuts_texts_is_warned_of(tmp_path, tmp_path_factory):
    folder = tokenizers.make(tmp_path_factory.mktemp("cut"), "keeps", tokenizers.END)
    place = folder / "chat_template.jinja"
    text = place.read_text(encoding="utf-8")
    assert "content" in text
    place.write_text(
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content[:20] }}<|im_end|>\n"
        "{% endfor %}",
        encoding="utf-8",
    )
    long = ("What?", "a long way to go", "and an answer that is longer than that")
    done = export(frame(long, long), tmp_path / "o.jsonl", Options("think", str(folder)))
    assert any("a part of 2 samples" in w for w in done.warnings)


def test_a_rehearsal_is_exported_with_a_warning(tmp_path, capsys):
    from tests.hub import sets

    run = sets.run(tmp_path / "pool", tmp_path / "run")
    whole = {**run.manifest, "rehearsal": True}
    arguments = ["export", str(run.path), "--format", "think", "--out", str(tmp_path / "t.jsonl")]
    for manifest, rehearsed in ((run.manifest, False), (whole, True)):
        (run.path / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        with pytest.raises(SystemExit) as ended:
            main([*arguments, "--json"])
        shown = capsys.readouterr()
        assert ended.value.code == 0
        assert json.loads(shown.out)["rehearsal"] is rehearsed
        assert ("is a rehearsal" in shown.err) is rehearsed


def test_a_share_that_rounds_to_nothing_holds_one_out(tmp_path):
    done = export(
        frame(PLAIN, ("Why not?", "t", "a")), tmp_path / "o.jsonl", Options(validation=0.001)
    )
    assert list(done.files.values()) == [1, 1]
    done = export(frame(PLAIN), tmp_path / "o.jsonl", Options(validation=0.001))
    assert [w for w in done.warnings if "no sample is in it" in w]


def test_a_block_without_a_tokenizer_is_a_wrong_call(tmp_path, capsys):
    with pytest.raises(RecipeError, match="block_size"):
        export(FRAME, tmp_path / "o.jsonl", Options(block_size=9))
    with pytest.raises(SystemExit) as ended:
        main(["export", "x", "--format", "s1", "--out", "o.jsonl", "--block-size", "100"])
    assert ended.value.code == 2
    assert "--tokenizer" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nosuchdir", "org/nosuch", "./no/such/dir"])
def test_a_tokenizer_that_is_nowhere_is_one_line_without_the_clients_noise(tmp_path, name):
    pl.DataFrame(frame(PLAIN)).write_parquet(tmp_path / "f.parquet")
    with using("http://127.0.0.1:9", tmp_path) as offline:
        said = offline.python(
            "import io, contextlib\n"
            "from s1data.export.templates import Template\n"
            "err = io.StringIO()\n"
            "with contextlib.redirect_stderr(err):\n"
            "    try:\n"
            f"        Template.load({name!r})\n"
            "    except Exception as error:\n"
            "        result = [type(error).__name__, str(error), err.getvalue()]\n"
        )
    assert said[0] == "RecipeError"
    assert said[1].startswith(f"tokenizer {name}: cannot be loaded: there is no such folder")
    assert said[2] == ""
