"""Killing a process at seeded moments of its work, however fast the machine is today."""

import random
import signal
import subprocess
import time


def kill_often(start, kills, seed, seconds, begin_anew):
    """Starts and SIGKILLs until it was done so often; what ends by itself begins anew.

    Moments are drawn over ``seconds``, which shrinks to what a whole pass takes when one ends
    before its kill: so a machine that is faster than the first measurement is killed all the same.
    """
    draw = random.Random(seed)
    killed = tries = 0
    while killed < kills:
        tries += 1
        assert tries <= 20 * kills, f"{killed} kills in {tries} starts"
        process = start()
        began = time.monotonic()
        try:
            process.wait(timeout=draw.uniform(0.05, seconds))
            seconds = max(0.1, time.monotonic() - began)
            begin_anew()
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            killed += 1
            if killed % 6 == 0:  # early stages are hit again and again
                begin_anew()
        finally:
            if process.stderr is not None:
                process.stderr.close()


def forget(run):
    """Makes a run directory's stages incomplete, so that there is work to be killed in."""
    (run / "manifest.json").unlink(missing_ok=True)
    for record in (run / "stages").glob("0[1-9]-*/record.json"):
        record.unlink()
