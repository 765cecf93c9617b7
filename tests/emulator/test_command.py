"""`s1data emulate` and scripts: what they take, what they refuse in one line, how they end."""

import json
import os
import signal
import subprocess
import sys

import openai
import polars as pl
import pytest

from s1data.emulator import Emulator, Fault, Script, ScriptError

CODE = "import sys; from s1data.cli import main; main(sys.argv[1:])"
SCRIPT = """
seed = 3
retry_delay = 2.0
jobs = ["expires"]

[models."small"]
role = "solver"
skill = 1.0

[faults]
recitation = 0.0

[[planned]]
fault = "overloaded"
contains = "twice"
"""


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "emulate", "--port", "0", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_told_to_end_and_tells_the_bill(tmp_path, number):
    pool = pl.DataFrame({"question": ["What is 6 times 7?"], "answer": ["42"]})
    pool.write_ndjson(tmp_path / "pool.jsonl")
    (tmp_path / "script.toml").write_text(SCRIPT)
    process = start(
        "--answers", str(tmp_path / "pool.jsonl"), "--script", str(tmp_path / "script.toml"),
        "--teacher", "big=1", "--log", str(tmp_path / "log.jsonl"),
    )  # fmt: skip
    try:
        url = process.stdout.readline().split()[-1]
        assert process.stdout.readline().split("=")[-1].strip() == url.removesuffix("/v1")
        with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:

            def ask(prompt, model):
                turn = [{"role": "user", "content": prompt}]
                return client.chat.completions.create(model=model, messages=turn).choices[0].message

            for model in ("small", "big"):
                assert "\\boxed{42}" in ask("What is 6 times 7?", model).content
            assert ask("What is 6 times 7?", "big").reasoning_content
            with pytest.raises(openai.InternalServerError):
                ask("What is twice 8?", "big")
        process.send_signal(number)
        told, said = process.communicate(timeout=20)
    finally:
        process.kill()
    assert (process.returncode, said) == (0, "")
    assert "small: 1 replies" in told
    assert "big: 2 replies" in told
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["status"] for line in lines] == [200, 200, 200, 503]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--answers", "none.parquet"], "none.parquet: cannot be read"),
        (["--solver", "small"], "--solver small: wanted NAME=NUMBER"),
        (["--fault", "overlaoded=0.1"], "overlaoded is no fault; nearest: overloaded"),
        (["--fault", "safety=1.5"], "safety: wanted a rate from 0 to 1, got 1.5"),
        (["--teacher", "big=2"], "models.big.skill"),
        (["--script", "none.toml"], "none.toml: wanted a script in TOML"),
        (["--log", "no/such/folder/log"], "No such file or directory"),
        (["--port", "65536"], "65536 is not in the range"),
    ],
)
def test_a_wrong_call_is_one_line_and_code_2(arguments, said):
    process = start(*arguments)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert said in err


def test_a_port_that_is_taken_is_told():
    with (
        Emulator() as server,
        pytest.raises(ScriptError, match="--port 0 takes a free one"),
        Emulator(port=int(server.url.rpartition(":")[2])),
    ):
        pass


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = 'x'", "script.toml: seed"),
        ("[models.small]\nskil = 1", "script.toml: models.small.skil"),
        ("[[planned]]\nfault = 'nothing'", "script.toml: planned.0.fault"),
        ("seed = ", "script.toml: wanted a script in TOML"),
        ("[faults]\nslow = 0.6\nreset = 0.6", "pass 1 together"),
    ],
)
def test_a_script_that_does_not_fit_names_file_and_field(tmp_path, text, said):
    path = tmp_path / "script.toml"
    path.write_text(text)
    with pytest.raises(ScriptError) as refused:
        Script.load(path)
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_the_longest_pattern_decides_and_a_name_before_any():
    script = Script.of(
        {"models": {"*": {"skill": 0.1}, "big-*": {"skill": 0.2}, "big-1": {"skill": 0.3}}}
    )
    assert [script.persona(name).skill for name in ("x", "big-2", "big-1")] == [0.1, 0.2, 0.3]


def test_a_script_survives_the_way_through_json():
    script = Script.of(
        {"faults": {fault.value: 0.01 for fault in Fault}, "models": {"a": {"price": [1, 2]}}}
    )
    assert Script.of(json.loads(script.model_dump_json())) == script
