"""reasoning-gym: the same questions in every process, verified answers, clear refusals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from s1data.errors import PoolError
from s1data.recipe import Pipeline
from s1data.sources import ReasoningGym, Source, open_source
from s1data.sources.gym import FAMILIES, REFUSED

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "pipelines").glob("*.yaml"))

CHILD = """
import hashlib, json, sys
from s1data.sources import ReasoningGym, Source, open_source
out = {}
for name, seed in json.loads(sys.argv[1]):
    gym = ReasoningGym(families={name: 44}, seed=seed)
    rows = open_source(Source(name="gym", reasoning_gym=gym)).read().rows
    out[f"{name}/{seed}"] = hashlib.sha256(rows.write_json().encode()).hexdigest()
print(json.dumps(out))
"""


def used():
    """(family, seed) of every recipe that ships, and the list we recommend."""
    found = {(name, 0) for name in FAMILIES}
    for path in RECIPES:
        for source in Pipeline.load(path).sources:
            if source.reasoning_gym is not None:
                found |= {
                    (name, source.reasoning_gym.seed) for name, _ in source.reasoning_gym.families
                }
    return sorted(found)


def gym(families, **fields):
    return open_source(Source(name="gym", reasoning_gym=ReasoningGym(families=families), **fields))


def generated(families, hash_seed):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, json.dumps(families)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # nothing else may be on standard output


def test_every_family_in_use_is_the_same_in_two_processes_and_in_another_order():
    families = used()
    assert generated(families, "1") == generated(families[::-1], "987654")


def test_there_are_enough_families_for_two_thousand_questions_of_many_kinds():
    assert len(set(FAMILIES)) == len(FAMILIES) >= 40
    rows = gym(dict.fromkeys(FAMILIES, 3)).read().rows
    assert rows.height == 3 * len(FAMILIES)
    assert rows["source_type"].n_unique() == len(FAMILIES)
    assert rows["cot_type"].n_unique() >= 8
    assert rows["answer"].str.strip_chars().str.len_chars().min() > 0
    assert rows["question"].str.len_chars().max() < 2000


def test_a_row_says_what_it_is():
    row = gym({"gcd": 2}).read().rows.row(0, named=True)
    assert row["position"] == 0
    assert row["answer"].isdigit()
    assert (row["source_type"], row["cot_type"]) == ("reasoning_gym/gcd", "math")
    assert row["licence"] == "Apache-2.0"
    assert json.loads(row["metadata"])["source_dataset"] == "gcd"


def test_sizes_settings_and_the_seed_decide_and_are_in_the_digest():
    base = gym({"gcd": 3})
    longer = gym({"gcd": {"size": 3, "config": {"min_value": 1000, "max_value": 2000}}})
    other = open_source(Source(name="gym", reasoning_gym=ReasoningGym(families={"gcd": 3}, seed=5)))
    assert len({opened.digest() for opened in (base, longer, other, gym({"gcd": 4}))}) == 4
    texts = [tuple(opened.read().rows["question"]) for opened in (base, longer, other)]
    assert len(set(texts)) == 3
    assert gym({"gcd": 3}).digest() == base.digest()
    assert base.provenance()["version"]


def test_a_limit_takes_the_first_questions():
    families = {"gcd": 4, "lcm": 4}
    whole, part = gym(families).read().rows, gym(families).read(limit=6).rows
    assert part.equals(whole.head(6))


@pytest.mark.parametrize("family", sorted(REFUSED))
def test_a_family_that_cannot_be_used_is_refused_by_name(family):
    with pytest.raises(PoolError, match=f"family {family} cannot be used: its questions"):
        gym({"gcd": 1, family: 1})


@pytest.mark.parametrize(
    ("families", "says"),
    [
        ({"gdc": 1}, "no family 'gdc'; nearest: gcd"),
        (
            {"gcd": {"size": 1, "config": {"min_valu": 3}}},
            "no setting 'min_valu'; nearest: min_value",
        ),
        ({"gcd": {"size": 1, "config": {"seed": 3}}}, "no setting 'seed'"),
        ({"gcd": {"size": 1, "config": {"min_value": -1}}}, "does not take these settings"),
    ],
)
def test_wrong_settings_are_said_before_anything_is_generated(families, says):
    with pytest.raises(PoolError, match=says):
        _ = gym(families).schema


def test_generating_writes_nothing_to_standard_output(capfd):
    gym({"sokoban": 1, "arc_1d": 1}).read()
    assert capfd.readouterr().out == ""
