"""distilabel: one TextGeneration step, batches of 64. `distil.py URL FOLDER COUNT`."""

import sys

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

URL, FOLDER, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])

if __name__ == "__main__":
    rows = [{"instruction": f"Add the first {n} odd numbers."} for n in range(COUNT)]
    with Pipeline(name="asks", cache_dir=FOLDER) as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=64)
        model = OpenAILLM(model="m-thinking", base_url=URL, api_key="a-key")
        load >> TextGeneration(llm=model, input_batch_size=64)
    made = pipeline.run(use_cache=True)
    answers = made["default"]["train"]["generation"]
    print("rows", sum(bool(answer) for answer in answers))
