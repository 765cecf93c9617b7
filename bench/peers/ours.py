"""s1data: an Asker through a session into the reply store. `ours.py URL FOLDER COUNT`."""

import sys
from pathlib import Path

import polars as pl

from s1data.asking import Served, Session, ask_in_rounds
from s1data.models import ModelSpec
from s1data.providers import open_model
from s1data.stages.asked_traces import AddTraces
from s1data.store.replies import ReplyStore

URL, FOLDER, COUNT = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])

rows = pl.DataFrame({"question": [f"Add the first {n} odd numbers." for n in range(COUNT)]})
spec = ModelSpec(provider="openai_compatible", model="m-thinking")
with ReplyStore(FOLDER / "store") as store:
    served = Served(name="teacher", spec=spec, model=open_model(spec, [URL], "a-key"))
    with Session([served], store) as session:
        asked = ask_in_rounds(AddTraces(teachers=("teacher",)), rows, {"teacher": spec}, session)
    keys = asked.columns.get_column("traces").list.get(0).struct.field("reply_key")
    print("rows", store.texts(keys).drop_nulls().len())
