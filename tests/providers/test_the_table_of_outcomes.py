"""docs/providers.md says of each outcome what the code does."""

from pathlib import Path

from s1data.models import POLICIES, Outcome

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


def test_the_page_has_every_outcome_with_its_policy():
    rows = [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in PAGE.read_text().splitlines()
        if line.startswith("| `")
    ]
    told = {name.strip("`"): rest for name, _, *rest in rows}
    word = {True: "yes", False: "no"}
    assert told == {
        str(outcome): [word[p.answers], word[p.settled], str(p.sends), word[p.stops], word[p.slows]]
        for outcome, p in POLICIES.items()
    }
    assert set(POLICIES) == set(Outcome)
