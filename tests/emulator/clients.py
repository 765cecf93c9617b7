"""The real SDKs pointed at an emulator, and what they make of what it does.

Retries are off, so that what is seen is one try.
"""

import asyncio
import contextlib
import warnings

import openai
from google import genai
from google.genai import types

KEY = "a-key-that-opens-nothing"
THINK = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))


def gemini(server, key=KEY, timeout=5_000):
    return genai.Client(
        api_key=key,
        http_options=types.HttpOptions(
            base_url=server.url,
            api_version="v1beta",
            timeout=timeout,
            retry_options=types.HttpRetryOptions(attempts=1),
        ),
    )


def chatting(server, key=KEY, timeout=5.0):
    return openai.OpenAI(base_url=server.openai_url, api_key=key, timeout=timeout, max_retries=0)


@contextlib.contextmanager
def chat(server, **settings):
    with chatting(server, **settings) as client:
        yield lambda prompt, model="big", **more: client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": prompt}], **more
        )


def ask_gemini(server, prompt, model="big", config=THINK, **settings):
    """One reply by the asynchronous client, the one that the provider uses."""

    async def once():
        # google-genai derives a class from aiohttp's session, which aiohttp remarks on.
        warnings.filterwarnings(
            "ignore", "Inheritance class .* from ClientSession", DeprecationWarning
        )
        client = gemini(server, **settings)
        async with client.aio as aio:
            return await aio.models.generate_content(model=model, contents=prompt, config=config)

    return asyncio.run(once())


def parts(reply):
    """Text and mark of each part."""
    found = reply.candidates[0].content.parts if reply.candidates else None
    return [(part.text, bool(part.thought)) for part in found or ()]
