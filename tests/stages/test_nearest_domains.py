"""The class whose words are nearest: by list and source, with a way out, and the same for any order."""

import polars as pl
import pytest
from pydantic import ValidationError

from s1data import taxonomies
from s1data.acting import act, with_places
from s1data.engine import LocalEngine
from s1data.stages import get
from s1data.stages.nearest_domains import AddNearestDomain

SHAPES = {
    "tri": "triangle sides inscribed circle radius",
    "che": "grams magnesium oxide oxygen flask",
    "mot": "train station kilometres cyclist hour",
}
TOPICS = {
    "tri": "The triangle number {n} has three sides and its inscribed circle touches them. Find its radius.",
    "che": "How many moles of oxygen burn with {n} grams of magnesium oxide in the flask?",
    "mot": "A train leaves the station at {n} kilometres per hour and overtakes a cyclist. When?",
}


class Keeping(LocalEngine):
    def __init__(self, home):
        super().__init__(read={}.__getitem__, vectors_home=home)
        self.written = {}

    def write(self, name, frame):
        self.written[name] = frame


@pytest.fixture
def engine(tmp_path):
    return Keeping(tmp_path)


def stage(**fields):
    given = {
        "encoder": "tfidf-svd",
        "dimensions": 8,
        "taxonomy": "shapes",
        "taxonomies": {"shapes": SHAPES},
    }
    return AddNearestDomain.model_validate(given | fields)


def pool(texts, source="one"):
    frame = pl.DataFrame({"question": texts}, schema={"question": pl.String})
    return with_places(frame.with_columns(source=pl.lit(source)))


def topics(count=15):
    return [(code, text.format(n=n)) for n in range(count) for code, text in TOPICS.items()]


def test_a_question_goes_to_the_class_whose_words_are_nearest(engine):
    codes, texts = zip(*topics(), strict=True)
    out = act(stage(), pool(texts), engine)
    assert out.added["domain"].to_list() == list(codes)
    assert out.added["domain_score"].is_between(0.3, 1).all()
    classes = engine.written["classes"]
    assert dict(classes.select("code", "size").iter_rows()) == dict.fromkeys(SHAPES, 15)


def test_what_is_near_to_no_class_is_other_and_a_missing_text_is_nothing(engine):
    texts = [*(text for _, text in topics()), "Who wrote the longest novel of all?", None]
    rows = pool(["-"] * len(texts)).with_columns(solution=pl.Series(texts))
    out = act(stage(of="solution", least=0.2), rows, engine).added
    assert out["domain"][-2] == "other"
    assert out["domain_score"][-2] < 0.2
    assert out["domain"].to_list()[-1] is None
    assert out["domain_score"].to_list()[-1] is None
    named = act(stage(of="solution", least=0.2, other="rest"), rows, engine).added
    assert named["domain"][-2] == "rest"


def test_rows_of_a_source_may_have_a_list_of_their_own_in_the_same_column(engine):
    codes, texts = zip(*topics(), strict=True)
    coarse = {"all": "triangle oxygen train", "none": "novel poem"}
    both = pl.concat([pool(texts), pool(texts, "labs")]).with_columns(
        row=pl.int_range(2 * len(texts), dtype=pl.UInt32)
    )
    own = stage(taxonomies={"shapes": SHAPES, "coarse": coarse}, by_source={"labs": "coarse"})
    out = act(own, both, engine).added
    assert out["domain"].head(len(texts)).to_list() == list(codes)
    assert set(out["domain"].tail(len(texts))) == {"all"}
    assert own.sources() == ("labs",)


def test_neither_the_order_of_rows_nor_their_numbers_matter(engine):
    _, texts = zip(*topics(), strict=True)
    rows = pool(texts)
    shuffled = rows.sample(fraction=1, shuffle=True, seed=1).with_columns(
        row=pl.int_range(rows.height, dtype=pl.UInt32)
    )
    one, other = (act(stage(), r, engine).kept.sort("id").drop("row") for r in (rows, shuffled))
    assert one.equals(other)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"taxonomy": "mcs"}, "taxonomy", "anzsrc, anzsrc-science, msc, shapes"),
        ({"by_source": {"labs": "nothing"}}, "by_source", "the name of a list"),
        (
            {"taxonomies": {"shapes": SHAPES, "b": {"tri": "triage"}}, "by_source": {"labs": "b"}},
            "by_source",
            "codes that mean one thing",
        ),
        ({"other": "tri"}, "other", "a name that is no code"),
        ({"max_tokens": 5}, "max_tokens", "no such field"),
    ],
)
def test_what_does_not_go_together_is_a_problem_before_anything_runs(fields, field, says):
    (problem,) = stage(**fields).check({"question": pl.String()}, {})
    assert problem.field == field
    assert says in problem.wanted


def test_a_small_model_finds_the_field_of_plain_questions(engine):
    wanted = {
        "A stone falls from a tower. How fast is it when it hits the ground?": "51",
        "Balance the equation for burning methane in oxygen.": "34",
        "Which organelle makes proteins in a plant cell?": "31",
        "The court must decide whether the contract was breached. Is the seller liable?": "48",
        "What happens to the price of bread if demand rises and supply stays?": "38",
        "Find the integral of x squared between 0 and 3.": "49",
    }
    own = AddNearestDomain.model_validate({"taxonomy": "anzsrc"})
    out = act(own, pool(list(wanted)), engine).added
    assert out["domain"].to_list() == list(wanted.values())
    assert (
        not act(own.model_copy(update={"least": 0.9}), pool(list(wanted)), engine)
        .added.filter(pl.col("domain") != "other")
        .height
    )


def test_lists_that_come_with_it_have_the_codes_of_their_schemes():
    assert len(taxonomies.MSC) == 63
    assert list(taxonomies.ANZSRC) == [str(code) for code in range(30, 53)]
    assert {code[:2] for code in taxonomies.SCIENCE} == {"31", "34", "37", "51"}
    for codes in taxonomies.TAXONOMIES.values():
        assert len(set(codes.values())) == len(codes)


@pytest.mark.real
def test_the_subject_classes_are_named_in_our_own_words():
    from tests.conftest import REAL

    theirs = pl.read_parquet(REAL / "msc.parquet")
    assert set(theirs["code"].str.slice(0, 2)) <= set(taxonomies.MSC)
    titles = {title.lower().strip() for title in theirs["title"]}
    assert not titles & {words.lower() for words in taxonomies.MSC.values()}


@pytest.mark.parametrize(
    ("own", "says"),
    [
        ({"msc": {"11": "numbers"}}, "a name that none of ours has .*, got msc"),
        ({"mine": {}}, "codes with words are wanted for mine, got no class"),
        ({"mine": {"a": "numbers", "b": " "}}, "for mine, got 'b' without"),
    ],
)
def test_a_list_that_says_nothing_or_stands_for_another_is_refused(own, says):
    with pytest.raises(ValidationError, match=says):
        get("add_nearest_domain").model_validate({"taxonomies": own})
