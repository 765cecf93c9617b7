"""The page as a user meets it: in a real browser, from disk, with the network off."""

import itertools
import re

import polars as pl
import pytest

from s1data.report import html
from tests.report import planted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def file(run, tmp_path_factory):
    return html.write(run, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def opened(chromium, file):
    """Opens the page, in a context of its own where options are given; nothing may go wrong."""
    said, contexts = [], []

    def visit(anchor="", of=file, **options):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        context.set_offline(True)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: (
                said.append(request.url)
                if not request.url.startswith(("file:", "blob:", "data:"))
                else None
            ),
        )
        page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
        page.goto(f"{of.as_uri()}{anchor}")
        page.wait_for_selector("html[data-ready]")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert said == [], "the console, a dialog or a request"


@pytest.fixture(scope="module")
def page(opened):
    return opened()


def number(text):
    return int(re.sub(r"[^\d]", "", text))


def found(page):
    page.wait_for_timeout(20)
    page.wait_for_selector("html:not([data-searching])")
    return number(page.locator("#found").inner_text().split(" of ")[0])


def reset(page):
    page.evaluate("document.getElementById('row').close()")
    page.locator("#filters button[type=reset]").click()
    page.wait_for_timeout(100)


def fired(page):
    return page.evaluate("window.fired ?? null")


def test_the_funnel_says_what_the_ledger_says(page, run):
    lost = run.ledger.filter(outcome="dropped").group_by("stage", "reason").len()
    branches = page.locator(".branches a").all()
    shown = {
        (b.get_attribute("data-stage"), b.get_attribute("data-reason")): number(
            b.locator(".n").inner_text()
        )
        for b in branches
    }
    assert shown == {(s, r): n for s, r, n in lost.iter_rows()}
    steps = [number(s.inner_text()) for s in page.locator(".funnel > li > .step > .n").all()]
    assert steps == run.funnel()["rows_out"].to_list()
    width = page.locator(".funnel > li:last-child rect.kept").first.get_attribute("width")
    assert float(width.rstrip("%")) == pytest.approx(
        100 * run.selected.height / run.ledger.height, abs=0.01
    )


def test_published_counts_are_a_table_beside_those_found(page):
    lines = [line.inner_text().split("\t") for line in page.locator("#expected tr").all()]
    assert [cell.strip() for cell in lines[0]] == ["after", "another", "one <paper>", "found here"]
    assert lines[-1][0] == "keep"
    assert [number(cell) for cell in lines[-1][2:]] == [40, 40]
    assert "the same" in lines[-1][2]


def test_a_branch_of_the_funnel_opens_its_rows(page):
    branch = page.locator(".branches a").nth(1)
    n = number(branch.locator(".n").inner_text())
    branch.click()
    page.wait_for_timeout(200)
    assert found(page) == n
    assert page.locator("#reason").input_value() == branch.get_attribute("data-reason")
    reset(page)


@pytest.mark.parametrize(
    ("field", "value", "where"),
    [
        ("outcome", "selected", pl.col("outcome") == "selected"),
        ("outcome", "dropped", pl.col("outcome") == "dropped"),
        ("stage", "drop_solved", pl.col("stage") == "drop_solved"),
        ("reason", "missing_value", pl.col("reason") == "missing_value"),
        ("source", "second", pl.col("source") == "second"),
    ],
)
def test_filters_find_what_the_ledger_has(page, run, field, value, where):
    page.select_option(f"#{field}", value)
    assert found(page) == run.ledger.filter(where).height
    assert f"{field}={value}" in page.url
    reset(page)


def test_a_domain_can_be_filtered(page, run):
    rows = run.checkpoints()[-2].read("columns")
    name, n = rows["domain"].value_counts().sort("count", "domain").row(0)
    page.select_option("#domain", name)
    assert found(page) == n
    reset(page)


def test_search_answers_while_typing(page):
    texts = [
        q.lower()
        for q in [
            *planted.questions(),
            *[planted.plain(i) for i in range(290, 330)],
            planted.plain(7),
            planted.MATCHES,
        ]
    ]
    for typed in ("a", "an", "ann 7", "pears gives", "geese", "nothing has these words"):
        page.fill("#q", "")
        page.type("#q", typed)
        terms = typed.split()
        assert found(page) == sum(all(t in text for t in terms) for text in texts), typed
    reset(page)


def test_search_finds_an_id_by_its_first_digits(page, run):
    wanted = run.selected["id"][0]
    page.fill("#q", wanted[:10])
    assert found(page) == 1
    assert wanted in page.locator(".line").first.inner_text()
    reset(page)


def test_only_lines_in_view_are_there(page, run):
    assert found(page) == run.ledger.height
    assert page.locator(".line").count() < 40
    page.locator("#list").evaluate("e => e.scrollTop = e.scrollHeight")
    page.wait_for_timeout(100)
    assert page.locator(f"#line-{run.ledger.height - 1}").is_visible()
    reset(page)


def test_a_row_opens_with_all_that_is_known(opened, run):
    row = run.ledger.filter(reason="solved")["row"][0]
    page = opened(f"#row={row}")
    body = page.locator("#row .body").inner_text()
    for part in (
        "Question",
        "Answer",
        "Solution",
        "Attempts",
        "Its way",
        "Evidence",
        *planted.SOLVERS,
    ):
        assert part in body
    assert "right" in body
    (way,) = run.why(row=row)
    step = next(s for s in way.steps if s.fate == "dropped")
    assert step.words in body
    assert f"--set drop_solved.{next(iter(step.settings))}" in body
    assert "not reached" in body


def test_a_selected_row_opens_with_its_trace_and_formulas(opened, run):
    chosen = run.selected.filter(pl.col("question").str.starts_with("Show that"))["id"][0]
    page = opened(f"#id={chosen}")
    dialog = page.locator("#row")
    dialog.locator("math").first.wait_for()
    assert dialog.locator("math msqrt").count() == 1
    assert "$5 or $6" in dialog.inner_text(), "dollars are no formula"
    dialog.locator("summary").first.click()
    dialog.locator("details math mfrac").first.wait_for()
    assert dialog.get_by_text("characters left").count() >= 1, "a long trace comes in steps"
    long = len(dialog.inner_text())
    dialog.get_by_text("characters left").first.click()
    assert len(dialog.inner_text()) > long


@pytest.mark.parametrize("address", ["#row=99999", "#row=-1", "#row=", "#id=nosuch", "#id=ffff00"])
def test_an_address_of_no_row_says_so(opened, address):
    page = opened(address)
    assert "There is no such row" in page.locator("#row").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#row").is_visible()


def test_an_address_that_filters_by_what_no_row_has_finds_none(opened):
    page = opened("#rows?reason=nosuch")
    page.wait_for_selector("html:not([data-searching])")
    assert page.locator("#found").inner_text() == "No row has the reason nosuch."
    assert page.locator(".line").count() == 0
    page.fill("#q", "ann")
    assert found(page) > 0


def test_first_digits_of_an_id_open_its_row(opened, run):
    wanted = run.selected["id"][7]
    page = opened(f"#id={wanted[:12]}")
    assert wanted in page.locator("#row-name").inner_text()


def test_from_the_search_box_the_keys_of_the_list_work(opened):
    page = opened()
    page.keyboard.press("/")
    page.keyboard.type("pears")
    found(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "#row=" in url)
    assert page.locator("#line-1").get_attribute("aria-selected") == "true"


def test_what_a_formula_may_not_do_stands_as_it_was_written(opened, run):
    row = run.ledger.filter(id=planted_id("tex"))["row"][0]
    page = opened(f"#row={row}")
    page.locator("#row .text").first.wait_for()
    page.wait_for_timeout(150)
    assert planted.HOSTILE["tex"] in page.locator("#row .text").first.inner_text()


def test_contamination_is_marked_where_it_stands(opened, run):
    row = run.ledger.filter(reason="in_benchmark")["row"][0]
    page = opened(f"#row={row}")
    assert planted.BENCH.lower().startswith(page.locator("#row mark").inner_text().lower()[:20])
    assert page.locator("#contamination mark").inner_text() == " ".join(planted.BENCH.split()[:8])


def test_a_duplicate_stands_beside_its_survivor(page, run):
    pair = page.locator(".pairs > li").first
    left, right = (d.locator(".text").inner_text() for d in pair.locator(".two > div").all())
    assert left == right
    assert "survivor_row" in run.ledger.filter(reason="exact_duplicate")["evidence"][0]


def test_the_keyboard_is_enough(opened):
    page = opened()
    page.keyboard.press("/")
    page.keyboard.type("pears")
    n = found(page)
    page.locator("#list").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator("#list").get_attribute("aria-activedescendant") == "line-1"
    page.keyboard.press("Enter")
    page.locator("#row[open]").wait_for()
    page.wait_for_url(lambda url: "#row=" in url)
    first = page.url
    page.keyboard.press("ArrowRight")
    page.wait_for_url(lambda url: url != first)
    page.keyboard.press("Escape")
    assert page.locator("#row[open]").count() == 0
    page.wait_for_url(lambda url: url.endswith("#rows?q=pears"))
    assert found(page) == n


# Where a point is drawn: the page keeps that to itself, so a dark pixel is looked for.
HIDDEN_POINT = """() => {
    const canvas = document.getElementById('map-canvas');
    const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const at = data.findIndex((v, i) => i % 4 === 3 && v === 255);
    const box = canvas.getBoundingClientRect();
    const n = (at - 3) / 4;
    return [box.left + (n % width) * box.width / width, box.top + Math.floor(n / width) * box.height / height + 2];
}"""


def test_the_map_names_the_question_under_the_pointer_and_opens_it(opened, run):
    page = opened()
    canvas = page.locator("#map-canvas")
    canvas.scroll_into_view_if_needed()
    canvas.focus()
    page.keyboard.press("ArrowRight")
    tip = page.locator("#map-tip")
    assert "selected" in tip.inner_text()
    assert len(tip.inner_text()) > 40
    x, y = page.evaluate(HIDDEN_POINT)
    page.mouse.move(x, y)
    assert tip.is_visible()
    assert run.ledger["id"].str.contains(tip.locator("small").inner_text().split()[0]).any()
    page.mouse.move(5, 5)
    assert not tip.is_visible()
    for colour in ("domain", "difficulty", "outcome"):
        before = canvas.evaluate("c => c.toDataURL()")
        page.select_option("#map-colour", colour)
        assert canvas.evaluate("c => c.toDataURL()") != before
        assert page.locator("#map-key span").count() >= 2
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.locator("#row[open]").wait_for()


def test_dark_and_light(opened):
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    dark = opened(color_scheme="dark")
    light = opened(color_scheme="light")
    assert dark.evaluate(colour) != light.evaluate(colour)
    light.locator("#theme").click()
    assert light.evaluate(colour) == dark.evaluate(colour)


CONTRAST = """() => {
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const rgb = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3]) return c; } };
    return [...document.querySelectorAll('main *')].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && e.checkVisibility() && !(e instanceof SVGElement))
        .map(e => { const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x); return [(a + 0.05) / (b + 0.05), e.outerHTML.slice(0, 80)]; })
        .filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(opened, scheme):
    """WCAG 2, level AA: a contrast of 4.5 to 1."""
    assert opened(color_scheme=scheme).evaluate(CONTRAST) == []


@pytest.mark.parametrize("width", [320, 390, 768])
def test_no_width_makes_the_page_scroll_sideways(opened, width):
    page = opened(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_prints_with_everything_open(opened):
    page = opened()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    assert not page.locator("#list").is_visible()


def test_images_have_words_and_headings_have_an_order(page):
    for picture in page.locator("svg:not([aria-hidden=true])").all():
        assert picture.get_attribute("aria-label")
    for control in page.locator("main select, main input").all():
        assert control.evaluate("e => e.labels.length") == 1
    levels = page.eval_on_selector_all(
        "main h1, main h2, main h3", "hs => hs.map(h => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))


@pytest.mark.parametrize("name", planted.HOSTILE)
def test_a_hostile_text_is_text(opened, run, name):
    row = run.ledger.filter(id=planted_id(name))["row"][0]
    page = opened(f"#row={row}")
    page.locator("#row .text").first.wait_for()
    page.wait_for_timeout(150)
    assert fired(page) is None
    dialog = page.locator("#row")
    assert f"({name})" in dialog.locator(".text").first.inner_text()
    assert (
        dialog.locator(
            "script, img, iframe, object, embed, link, style, a[href^=java], [onclick], [style*=fixed]"
        ).count()
        == 0
    )
    box = dialog.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    if name == "turned":
        assert "U+202E" in dialog.inner_text()
        assert "\u202e" not in page.content()


def planted_id(name):
    from s1data.pool import question_id

    return question_id(planted.hostile(name))


def test_five_megabytes_open_in_steps(opened, run):
    from s1data.pool import question_id

    row = run.ledger.filter(id=question_id(planted.LONG))["row"][0]
    page = opened(f"#row={row}")
    page.locator("#row .text").first.wait_for()
    assert len(page.locator("#row .text").first.inner_text()) < 30_000
    assert page.locator("#row .more").first.inner_text().startswith("Show more (5,")


def test_the_policy_stops_what_gets_in_all_the_same(chromium, file):
    """Were a text ever taken for HTML, it still would not run, and nothing would be loaded."""
    said = []
    context = chromium.new_context()  # its errors are wanted
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.goto(file.as_uri())
    page.wait_for_selector("html[data-ready]")
    page.evaluate("""() => {
        const hole = document.createElement('div');
        hole.innerHTML = `<img src="http://127.0.0.1:9/x.png" onerror="window.fired='hole'">`;
        document.body.append(hole);
        const script = document.createElement('script');
        script.textContent = "window.fired = 'script'";
        document.body.append(script);
    }""")
    page.wait_for_timeout(200)
    assert fired(page) is None
    assert any("Content Security Policy" in text for text in said)
    context.close()


def test_what_does_not_fit_is_said_and_found_by_its_first_words(opened, run, tmp_path):
    small = html.write(run, tmp_path / "small.html", most_bytes=24_000)
    page = opened(of=small)
    assert re.search(
        r"In full: \d+ of 40 selected and \d+ of \d+ dropped rows",
        page.locator("#held").inner_text(),
    )
    page.goto(f"{small.as_uri()}#rows?reason=missing_value")
    page.wait_for_timeout(300)
    assert found(page) == run.ledger.filter(reason="missing_value").height
