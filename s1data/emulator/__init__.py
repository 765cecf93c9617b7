"""A model server on the loopback, for rehearsals and tests: no model, no cost, real HTTP.

It speaks enough of the Gemini and of the OpenAI protocol for the real SDKs. What it says depends
on the request and a seed only, never on when the request came, so a rehearsal can be repeated. It
can fail in every way that the services do, and it notes each request and its tokens: its log and
its bill are the witness of what a client asked and paid.
"""

from __future__ import annotations

from s1data.emulator.running import Emulator, serve
from s1data.emulator.script import Fault, JobFate, Persona, Planned, Script, ScriptError
from s1data.emulator.tables import read_answers, read_replay
from s1data.emulator.witness import Entry

__all__ = [
    "Emulator",
    "Entry",
    "Fault",
    "JobFate",
    "Persona",
    "Planned",
    "Script",
    "ScriptError",
    "read_answers",
    "read_replay",
    "serve",
]
