"""A session works from inside a running loop, as a notebook's cells are, Ctrl-C included."""

import asyncio
import signal
import subprocess
import sys

import pytest

from s1data.asking.looping import Loop

CELL = """
import asyncio, sys, threading
from s1data.asking.looping import Loop

async def work():
    print("at work", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("taken in", flush=True)

async def cell():
    loop = Loop()
    try:
        loop.run(work())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    loop.run(asyncio.sleep(0))
    loop.close()
    print("closed", flush=True)

asyncio.run(cell())
"""


async def double(number):
    await asyncio.sleep(0)
    return 2 * number


def test_a_coroutine_is_run_from_a_script_and_inside_another_loop_in_one_and_the_same_loop():
    loop = Loop()

    async def mine():
        return asyncio.get_running_loop()

    async def cell():
        outer = asyncio.get_running_loop()
        here = loop.run(mine())
        assert here is not outer
        assert asyncio.get_event_loop() is outer
        with pytest.raises(ZeroDivisionError):
            loop.run(failing())
        return here, loop.run(double(4))

    async def failing():
        raise ZeroDivisionError

    assert loop.run(double(3)) == 6
    inside, eight = asyncio.run(cell())
    assert loop.run(mine()) is inside
    assert eight == 8
    asyncio.run(closing(loop))


async def closing(loop):
    loop.close()
    loop.close()


def test_ctrl_c_inside_another_loop_cancels_the_work_and_the_loop_goes_on():
    process = subprocess.Popen([sys.executable, "-c", CELL], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert said.splitlines() == ["taken in", "interrupted", "closed"]
    assert process.returncode == 0


EARLY = """
import asyncio, os, signal
from s1data.asking.looping import Loop

async def work(taken):
    os.kill(os.getpid(), signal.SIGINT)
    try:
        await asyncio.sleep(60)
    finally:
        taken.append(1)

async def cell():
    loop, taken = Loop(), []
    for turn in range(200):
        try:
            loop.run(work(taken))
        except KeyboardInterrupt:
            pass
        loop.run(asyncio.sleep(0))
    loop.close()
    print(len(taken), flush=True)

asyncio.run(cell())
"""


def test_ctrl_c_while_the_work_is_only_starting_cancels_it_too():
    done = subprocess.run(
        [sys.executable, "-c", EARLY], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "200\n"), done.stderr[-300:]
