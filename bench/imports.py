"""What `import s1data` and `s1data --help` cost beside `import polars`, in CPU seconds.

`import s1data` puts off its modules until a name is used; `s1data.Pipeline` is that first use, and
has no allowance of its own.
Each is a fresh interpreter, and all take turns, so that whatever else the machine does meets all
of them alike. The figure is the median over the rounds; the allowance is 0.15 s.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

ROUNDS = 15
ALLOWANCE = 0.15
ALLOWED = ("import s1data", "s1data --help")
CODE = {
    "import polars": "import polars",
    "import s1data": "import s1data",
    "s1data.Pipeline": "import s1data; s1data.Pipeline",
    "s1data --help": "from s1data.cli import main; main(['--help'])",
}


def cpu_seconds(code: str) -> float:
    """User and system time of a fresh interpreter that runs ``code``."""
    # Without byte code on disk each round would measure the compiler.
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    child = subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"bench.imports: {code!r} ended with {child.returncode}")
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in CODE}
    for round_ in range(ROUNDS + 1):
        for name, code in CODE.items():
            taken = cpu_seconds(code)
            if round_:  # the first round fills the caches
                seconds[name].append(taken)
    base = statistics.median(seconds["import polars"])
    for name, all_ in seconds.items():
        middle = statistics.median(all_)
        more = middle - base
        allowed = f", allowed +{ALLOWANCE} s" if name in ALLOWED else ""
        verdict = "" if name == "import polars" else f"  {more:+.3f} s{allowed}"
        print(f"{name:16} {middle:.3f} s CPU  {middle / base:4.2f} x{verdict}")


if __name__ == "__main__":
    main()
