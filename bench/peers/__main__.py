"""The same questions through s1data and through others, and again with everything there already.

    make bench-peers                                  makes the environments, then runs this
    python -m bench.peers FOLDER_OF_ENVIRONMENTS [COUNT]

Seconds of whole processes, start to end; the server has a process of its own and answers after
50 ms, 64 at once. What each of them must show is one answer for each question; how many questions
the server was asked is told beside.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from bench.parts.answering import server

HERE = Path(__file__).parent
WAIT, SIZE = 0.05, 15_000
OTHERS = {"curator": "bespokelabs-curator", "distil": "distilabel"}
QUIET = {
    "TELEMETRY_ENABLED": "false",
    "CURATOR_DISABLE_RICH_DISPLAY": "1",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OPENAI_API_KEY": "a-key",
}


def seconds(python: str, script: str, url: str, folder: Path, count: int) -> tuple[float, float]:
    """(wall, CPU) seconds of one process, which must show an answer for each question."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "home").mkdir(exist_ok=True)
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [python, str(HERE / f"{script}.py"), url, str(folder), str(count)],
        env=os.environ | QUIET | {"HF_HOME": str(folder / "home"), "HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if f"rows {count}" not in done.stdout.splitlines():
        got = (done.stdout + done.stderr)[-3000:]
        raise SystemExit(f"bench.peers: {script}: wanted {count} rows, got:\n{got}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def asked(url: str) -> int:
    with urllib.request.urlopen(f"{url}/count") as answer:
        return int(answer.read())


def main() -> None:
    """Prints a line for each."""
    environments = Path(sys.argv[1]).absolute()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    who = {"plain": sys.executable, "ours": sys.executable}
    who |= {script: str(environments / name / "bin/python") for script, name in OTHERS.items()}
    print(f"{count} requests, 64 in flight, replies of {SIZE} bytes after {1000 * WAIT:.0f} ms")
    print("seconds, wall / CPU        all to ask (requests)       all there (requests)")
    with tempfile.TemporaryDirectory() as folder, server(WAIT, SIZE) as url:
        for script, python in who.items():
            given = (python, script, f"{url}/v1", Path(folder) / script, count)
            before = asked(url)
            wall, cpu = seconds(*given)
            sent = asked(url) - before
            again, cpu_again = min(seconds(*given) for _ in range(3))
            more = asked(url) - before - sent
            print(
                f"{script:20} {wall:10.1f} / {cpu:4.1f} ({sent:5})"
                f" {again:14.2f} / {cpu_again:4.2f} ({more // 3})",
                flush=True,
            )


if __name__ == "__main__":
    main()
