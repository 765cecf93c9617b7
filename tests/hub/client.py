"""A user of the loopback Hub: a process with an endpoint, a token and a home of its own."""

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass
class Result:
    code: int
    out: str
    err: str


class Client:
    def __init__(self, process):
        self._process = process

    def _ask(self, what):
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the client's process is gone"
        return json.loads(line)

    def s1data(self, *arguments):
        got = self._ask({"s1data": [str(a) for a in arguments]})
        return Result(got["code"], got["out"], got["err"])

    def python(self, source):
        got = self._ask({"python": source})
        assert "err" not in got, got["err"]
        return got["result"]


def environment(url, home, token=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    env |= {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
    }
    return env if token is None else env | {"HF_TOKEN": token}


@contextmanager
def using(url, home, *, token=None, cwd=None):
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", str(Path(__file__).with_name("child.py"))],
        env=environment(url, home, token),
        cwd=cwd or home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Client(process)
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        process.stdout.close()
