"""A process that writes replies, rolls and compacts all the time, to be killed where it is.

python -m tests.store.proving HOME FIRST SAID

Line by line it says in the file SAID what is acknowledged. Where it is, in a roll or in a
compaction, is told by the files that the store itself makes: drafts are there only inside them.
"""

import sys
from pathlib import Path

from s1data.models import Outcome, Reply
from s1data.store.replies import ReplyStore


def reply(key, size=17_000):
    text = "The sum of it all is what was to be shown. " * (size // 43 + 1)
    return Reply(
        key=key, provider="p", model="m", outcome=Outcome.OK, thinking=text, answer=f"it is {key}"
    )


def work(home, first, said):
    """Never ends. Four of five puts roll; a compaction has a few parts to join each time."""
    with said.open("a", buffering=1) as file:
        store = ReplyStore(home, roll_bytes=60_000)
        for turn in range(1_000_000):
            keys = [f"{first}-{turn}-{i}" for i in range(4)]
            store.put([reply(key) for key in keys])
            file.write("".join(f"{key}\n" for key in keys))
            if turn % 6 == 5:
                store.compact()


if __name__ == "__main__":
    work(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
