"""The floor: an aiohttp loop, 64 at once, into one Parquet file. `plain.py URL FOLDER COUNT`."""

import asyncio
import sys
from pathlib import Path

import aiohttp
import polars as pl

URL, FOLDER, COUNT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
FILE = FOLDER / "replies.parquet"


async def ask() -> list[str]:
    answers = [""] * COUNT
    numbers = iter(range(COUNT))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def line() -> None:
            for number in numbers:
                message = {"role": "user", "content": f"Add the first {number} odd numbers."}
                body = {"model": "m-thinking", "messages": [message]}
                async with session.post(f"{URL}/chat/completions", json=body) as response:
                    told = await response.json()
                answers[number] = told["choices"][0]["message"]["content"]

        await asyncio.gather(*(line() for _ in range(64)))
    return answers


if not FILE.exists():
    pl.DataFrame({"answer": asyncio.run(ask())}).write_parquet(FILE)
print("rows", pl.read_parquet(FILE).get_column("answer").drop_nulls().len())
