"""bespokelabs-curator with its OpenAI backend, 64 at once. `curator.py URL FOLDER COUNT`."""

import importlib.util
import os
import sys
from pathlib import Path

# curator counts tokens by a vocabulary that it would fetch; litellm, which it needs, brings it.
litellm = Path(importlib.util.find_spec("litellm").origin).parent
os.environ.setdefault("TIKTOKEN_CACHE_DIR", str(litellm / "litellm_core_utils" / "tokenizers"))

from bespokelabs import curator  # noqa: E402 - after the variable

URL, FOLDER, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])


class Asks(curator.LLM):
    def prompt(self, row: dict[str, str]) -> str:
        return row["question"]

    def parse(self, row: dict[str, str], response: str) -> dict[str, str]:
        return {"question": row["question"], "answer": response}


if __name__ == "__main__":
    asks = Asks(
        model_name="m-thinking",
        backend="openai",
        backend_params={
            "base_url": URL,
            "api_key": "a-key",
            "max_concurrent_requests": 64,
            "max_requests_per_minute": 10_000_000,
            "max_tokens_per_minute": 1_000_000_000_000,
        },
    )
    rows = [{"question": f"Add the first {n} odd numbers."} for n in range(COUNT)]
    made = asks(rows, working_dir=FOLDER)
    print("rows", sum(bool(answer) for answer in made.dataset["answer"]))
