"""The recipe as it is run: a tiny model learns, what is wrong is one line, nothing else needs it."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from s1data.export import FORMATS, Options, export
from s1data.scaling import train
from s1data.scaling.training import Settings
from tests.export import tokenizers
from tests.scaling.test_labels import frame


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model that knows nothing, with a tokenizer whose own end token is not that of a turn."""
    from transformers import Qwen2Config, Qwen2ForCausalLM, set_seed

    folder = tokenizers.make(tmp_path_factory.mktemp("base"), "chatml", tokenizers.PAD)
    set_seed(0)
    config = Qwen2Config(
        vocab_size=320, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=512, eos_token_id=0,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture
def script(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        with pytest.raises(SystemExit) as ended:
            train.main([str(one) for one in arguments])
        out, err = capfd.readouterr()
        return SimpleNamespace(code=ended.value.code, out=out, err=err)

    return call


def exported(folder, form="think", rows=32, **more):
    export(frame(rows), folder / "t.jsonl", Options(form, **more))
    return folder / "t.jsonl"


def test_the_defaults_are_the_papers():
    settings = Settings()
    assert (settings.epochs, settings.batch, settings.learning_rate) == (5, 16, 1e-5)
    assert (settings.schedule, settings.warm_up, settings.weight_decay) == ("cosine", 0.05, 1e-4)
    assert (settings.betas, settings.block_size, settings.most_cut) == ((0.9, 0.95), 32_768, 0)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nowhere.jsonl",), 2, "wanted a file of s1data export"),
        (("nowhere",), 2, "nowhere: wanted a run directory"),
        (("t.csv",), 2, "(.jsonl or .parquet), got a name that ends in .csv"),
        (("t.jsonl", "--epochs", 0.5), 2, "0.5 epochs: 1 step, of which 1 warm-up"),
        (("t.jsonl", "--batch", 32, "--per-device", 32, "--epochs", 1), 2, "--warm-up 0"),
        (("end.jsonl",), 2, "row-1: its thinking or answer holds '<|im_end|>'"),
        (("t.jsonl", "--model", "adapter"), 2, "adapter: is an adapter (LoRA)"),
        (("t.jsonl", "--out", "adapter"), 1, "adapter: holds a model (adapter_config.json)"),
        (("t.jsonl", "--out", "other"), 1, "other: holds a model (config.json)"),
        (("t.jsonl", "--model", "no-model"), 2, "tokenizer no-model: cannot be loaded"),
        (("t.jsonl", "--block-size", 20), 2, "longer than a block of 20 tokens"),
        (("t.jsonl", "--batch", 15, "--per-device", 4), 2, "a batch of 15 is not made up of 1"),
        (("t.jsonl", "--epochs", 0), 2, "epochs: Input should be greater than 0"),
        (("t.jsonl", "--betas", 1.5, 2), 2, "--betas: Input should be less than 1, got 1.5"),
        (("t.jsonl", "--rate", "nan"), 2, "--rate: Input should be a finite number"),
        (("t.jsonl", "--seed", 10**12), 2, "--seed: Input should be less than 4294967296"),
        (("t.jsonl", "--out", "t.jsonl"), 2, "--out t.jsonl: wanted a folder that can be written"),
        (("t.jsonl", "--out", "/proc/m"), 2, "--out /proc/m: wanted a folder that can be written"),
        (("t.jsonl", "--out", "done"), 1, "done: holds a trained model"),
    ],
)
def test_a_call_that_is_wrong_is_refused_in_one_line(
    script, base, tmp_path, monkeypatch, arguments, code, says
):
    exported(tmp_path)
    (tmp_path / "done").mkdir()
    (tmp_path / "done/training.json").touch()
    for folder, file in (("adapter", "adapter_config.json"), ("other", "config.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / file).write_text("{}")
    turns = [("user", "Q"), ("assistant", "<think>\nT<|im_end|>\n</think>\n\nA")]
    ended = {"id": "row-1", "messages": [{"role": role, "content": text} for role, text in turns]}
    (tmp_path / "end.jsonl").write_text(json.dumps(ended))
    done = script("--model", base, "--out", "m", "--cpu", *arguments)
    assert (done.code, done.err.count("\n")) == (code, 1), done.err
    assert says in done.err
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("way", ["same", "linked", "tokenizer"])
def test_what_is_trained_from_is_never_written_over(script, base, tmp_path, way):
    before = {file.name: file.read_bytes() for file in base.iterdir()}
    (tmp_path / "link").symlink_to(base)
    out = tmp_path / "link" if way == "linked" else base
    more = ("--model", "other", "--tokenizer", base) if way == "tokenizer" else ("--model", base)
    done = script(exported(tmp_path), *more, "--out", out, "--cpu")
    assert (done.code, done.err.count("\n")) == (2, 1), done.err
    assert "is where the model or its tokenizer is read from" in done.err
    assert {file.name: file.read_bytes() for file in base.iterdir()} == before


@pytest.mark.slow
def test_a_tiny_model_learns_and_ends_with_the_token_that_it_was_taught(script, base, tmp_path):
    from transformers import AutoConfig, AutoTokenizer, GenerationConfig

    done = script(
        exported(tmp_path), "--model", base, "--out", "m", "--cpu", "--per-device", 16,
        "--rate", 1e-2, "--epochs", 8,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "32 rows" in done.out
    record = json.loads((tmp_path / "m/training.json").read_text())
    losses = [one["loss"] for one in record["losses"]]
    assert len(losses) == 8 * 2
    assert losses[-1] < 0.8 * losses[0]
    assert (record["rows"], record["end_token"]) == (32, tokenizers.END)
    assert (record["prompt"]["marks"], record["prompt"]["system"]) == ("think", None)
    assert "s1data scale --tokenizer m asks by the same" in done.out
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    end = tokenizer.convert_tokens_to_ids(tokenizers.END)
    assert tokenizer.eos_token_id == end
    assert end in GenerationConfig.from_pretrained(tmp_path / "m").eos_token_id
    assert AutoConfig.from_pretrained(tmp_path / "m").use_cache


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_every_layout_of_1000_rows_reaches_the_model_whole(script, base, tmp_path, form):
    # Every row is collated and held against its text before the first step; then one is enough.
    path = exported(tmp_path, form, rows=1_000)
    done = script(path, "--model", base, "--out", "m", "--cpu", "--per-device", 16,
                  "--epochs", 0.01, "--warm-up", 0)  # fmt: skip
    assert done.code == 0, done.err
    record = json.loads((tmp_path / "m/training.json").read_text())
    assert (record["rows"], record["left_out"], len(record["losses"])) == (1_000, {}, 1)


@pytest.mark.slow
# peft 0.21 asks a model of transformers 5.23 by the older name.
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
def test_lora_leaves_an_adapter_and_the_weights_as_they_were(script, base, tmp_path):
    from transformers import AutoTokenizer, GenerationConfig

    done = script(exported(tmp_path), "--model", base, "--out", "m", "--cpu", "--lora",
                  "--per-device", 16, "--epochs", 1)  # fmt: skip
    assert done.code == 0, done.err
    assert (tmp_path / "m/adapter_model.safetensors").exists()
    assert not (tmp_path / "m/model.safetensors").exists()
    record = json.loads((tmp_path / "m/training.json").read_text())
    assert record["settings"]["rate"] == 1e-4
    # The adapter's folder says where generation ends; the base's own says another token.
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    end = tokenizer.convert_tokens_to_ids(tokenizers.END)
    assert tokenizer.eos_token_id == end
    assert end in GenerationConfig.from_pretrained(tmp_path / "m").eos_token_id
    assert GenerationConfig.from_pretrained(base).eos_token_id != end


@pytest.mark.slow
def test_processes_share_a_batch_and_one_of_them_writes(script, base, tmp_path):
    call = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "--module", "s1data.scaling.train", exported(tmp_path), "--model", base, "--out", "m",
        "--cpu", "--per-device", "4", "--epochs", "1",
    ]  # fmt: skip
    done = subprocess.run(
        [str(word) for word in call], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("32 rows") == 1
    record = json.loads((tmp_path / "m/training.json").read_text())
    assert (record["processes"], len(record["losses"])) == (2, 32 // 16)


PLUGIN = """
import os, sys
from accelerate import FullyShardedDataParallelPlugin
plugin = FullyShardedDataParallelPlugin()
said = (plugin.fsdp_version, plugin.reshard_after_forward, plugin.activation_checkpointing,
        plugin.cpu_ram_efficient_loading, plugin.state_dict_type.name,
        os.environ["ACCELERATE_MIXED_PRECISION"], os.environ["ACCELERATE_USE_FSDP"])
sys.stdout.write(" ".join(map(str, said)) + chr(10))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("config", "gpus", "machines"), [("fsdp2-8", 8, 1), ("fsdp2-16", 16, 2)])
def test_accelerate_reads_its_configurations_as_fsdp2(script, tmp_path, config, gpus, machines):
    # Sharding itself needs GPUs: accelerate has none of it on a processor.
    from accelerate.commands.config.config_args import load_config_from_file

    path = script("--config", config).out.strip()
    read = load_config_from_file(path)
    assert (read.num_processes, read.num_machines, read.use_cpu) == (gpus, machines, False)
    (tmp_path / "plugin.py").write_text(PLUGIN)
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--config_file", path,
         "--num_processes", "2", "--num_machines", "1", "plugin.py"],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines() == ["2 True True True FULL_STATE_DICT bf16 true"] * 2


BARRED = """
import sys
for name in ("trl", "peft", "accelerate"):
    sys.modules[name] = None
"""


def test_curating_exporting_and_scaling_never_need_the_extra(tmp_path):
    code = BARRED + (
        "import polars as pl, s1data, s1data.export, s1data.scaling, s1data.scaling.sweep\n"
        "import s1data.scaling.train, s1data.cli\n"
        "recipe = '''\nname: n\nversion: 2026.11.0\nsources: [{name: pool, licence: mit}]\n"
        "stages: [drop_duplicates, {keep_random: {n: 1}}]'''\n"
        "pool = pl.DataFrame({'question': ['a b c?', 'd e f?']})\n"
        "run = s1data.Pipeline.from_yaml(recipe).run('RUN', inputs={'pool': pool})\n"
        "assert run.selected.height == 1"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("gone", "more"), [("trl", ()), ("peft", ("--lora",))])
def test_what_is_not_installed_is_named_with_the_way_to_get_it(base, tmp_path, gone, more):
    code = (
        f"import sys; sys.modules[{gone!r}] = None; from s1data.scaling.train import main; main()"
    )
    call = [sys.executable, "-c", code, str(exported(tmp_path)), "--model", str(base), "--out", "m",
            "--cpu", *more]  # fmt: skip
    done = subprocess.run(call, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 's1data[train]'" in done.stderr.splitlines()[-1]
