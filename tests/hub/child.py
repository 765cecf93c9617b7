"""A process that uses the Hub: it reads one JSON line at a time and answers each with one.

``{"s1data": [arguments]}`` is a command line; ``{"python": source}`` is run, and what it leaves in
``result`` is the answer. One process does many, since what it imports takes seconds.
"""

import contextlib
import io
import json
import sys
import traceback


def command(arguments):
    from s1data.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as ended:
            code = ended.code or 0
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def python(source):
    names = {}
    with contextlib.redirect_stdout(sys.stderr):
        exec(source, names)
    return {"result": names.get("result")}


def answer(line):
    asked = json.loads(line)
    try:
        return command(asked["s1data"]) if "s1data" in asked else python(asked["python"])
    except Exception:  # noqa: BLE001 - it is told to the parent
        return {"code": -1, "out": "", "err": traceback.format_exc(), "result": None}


for line in sys.stdin:
    sys.stdout.write(json.dumps(answer(line)) + "\n")
    sys.stdout.flush()
