/* One row: its texts, attempts, way through the stages, evidence, and what would have kept it. */
let opened = null;
let before = "";

async function open(row) {
  const { core } = explorer;
  const dialog = byId("row");
  if (!dialog.open) before = /^#(row|id)=/.test(location.hash) ? "#rows" : location.hash;
  opened = row;
  const size = core.more_rows;
  const [more, texts] = await Promise.all([block(`more-${Math.floor(row / size)}`), block(`list-${Math.floor(row / core.list_rows)}`)]);
  if (opened !== row) return;
  history.replaceState(null, "", `#row=${row}`);
  const known = more[row % size];
  const body = make("div", { class: "body", tabindex: "-1" }, ...parts(row, known, texts[row % core.list_rows]));
  dialog.replaceChildren(head(row), body);
  if (!dialog.open) dialog.showModal();
  body.focus();
  void typeset();
}

/* An address that leads nowhere is said, not passed over. */
function missing(wanted) {
  const dialog = byId("row");
  const close = make("button", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "✕");
  const name = make("h2", { id: "row-name" }, "There is no such row in this run.");
  opened = null;
  dialog.replaceChildren(make("div", { class: "head" }, name, close), make("div", { class: "body" }, make("p", {}, "The address asks for ", make("code", {}, ...visible(wanted.slice(0, 80))), ".")));
  if (!dialog.open) dialog.showModal();
}

function head(row) {
  const { core } = explorer;
  const fate = fateOf(row);
  const place = explorer.found.indexOf(row);
  const step = (by, name, sign) => make("button", { type: "button", "aria-label": `${name} row found`, disabled: explorer.found[place + by] === undefined, onclick: () => turn(by) }, sign);
  return make("div", { class: "head" },
    make("h2", { id: "row-name" }, make("span", { class: fate.stage ? "lost" : "kept" }, fate.stage ? `Dropped: ${inWords(fate.reason)}` : "Selected"), " ", make("span", { class: "id" }, idOf(row) || "(no id)"), " ", make("small", {}, `row ${number.format(row)}, source `, make("bdi", {}, core.sources[core.source[row]]))),
    step(-1, "Previous", "←"), step(1, "Next", "→"),
    make("button", { type: "button", "aria-label": "Close", onclick: () => byId("row").close() }, "✕"));
}

function turn(by) {
  const place = explorer.found.indexOf(opened) + by;
  if (explorer.found[place] === undefined) return;
  explorer.at = place;
  choose(place);
  void open(explorer.found[place]);
}

function* parts(row, known, question) {
  const full = explorer.core.full[row] === "1";
  const evidence = known.evidence ? JSON.parse(known.evidence) : null;
  const span = evidence?.span ?? "";
  const titled = (name, element) => [make("h3", {}, name), element];
  const text = (value, marked = "") => fill(make("div", { class: "text", dir: "auto" }), value, marked);
  const here = evidence?.column ? evidence.column === "question" : true;
  yield* titled("Question", question ? text(question, here ? span : "") : make("p", {}, "This line had no question."));
  if (!full) yield make("p", { class: "note" }, "Only the first words: not every row fits into this file. The rest stands in the run directory; ", make("code", {}, `s1data why RUN --row ${row}`), " shows it.");
  if (known.words) yield* titled(fateOf(row).stage ? "Why it left" : "Why it was chosen", make("p", {}, ...visible(known.words)));
  if (known.setting) yield make("p", {}, "It would have been kept by this stage with ", make("code", {}, known.setting), ".");
  else if (fateOf(row).stage && fateOf(row).stage !== "read") yield make("p", {}, "No setting of this stage would have kept it.");
  if (evidence?.survivor_row !== undefined) yield make("p", {}, "The row that stayed: ", make("a", { href: `#row=${evidence.survivor_row}` }, `row ${number.format(evidence.survivor_row)}`));
  if (known.answer) yield* titled("Answer", answerOf(known.answer));
  if (known.solution) yield* titled("Solution", text(known.solution, evidence?.column === "solution" ? span : ""));
  if (known.traces) yield* traces(row, known.traces);
  if (known.attempts) yield* attempts(row, known.attempts);
  yield* titled("Its way", way(row, known));
  if (evidence) yield* titled("Evidence", pairs(evidence));
  const others = Object.fromEntries([["source_type", known.source_type], ["licence", known.licence], ...Object.entries(known.columns ?? {}), ["metadata", known.metadata]].filter(([, value]) => value !== undefined && value !== null && !(Array.isArray(value) && !value.length)));
  if (Object.keys(others).length) yield* titled("What else is known of it", pairs(others));
}

function way(row, known) {
  const { core } = explorer;
  const fate = fateOf(row);
  const last = core.stages.findIndex((stage) => stage.label === fate.stage);
  return make("ol", { class: "way", start: 0 }, ...core.stages.map((stage, n) => {
    const added = stage.adds.filter((name) => known.columns?.[name] !== undefined && known.columns[name] !== null);
    const brief = added.map((name) => `${name} ${JSON.stringify(known.columns[name])}`).join(", ").slice(0, 160);
    const did = last >= 0 && n > last ? "not reached" : n === last ? `dropped: ${inWords(fate.reason)}` : stage.kind === "Selector" ? "selected" : stage.adds.length ? `added ${brief || stage.adds.join(", ")}` : n ? "kept" : "read";
    return make("li", { class: n === last ? "lost" : last >= 0 && n > last ? "gone" : null }, make("code", {}, stage.label), " ", ...visible(did));
  }));
}

function* traces(row, given) {
  yield make("h3", {}, given.length === 1 ? "Trace" : `Traces (${number.format(given.length)})`);
  for (const [n, trace] of given.entries()) {
    const tokens = [["thinking", trace.thinking_tokens], ["answer", trace.answer_tokens]].filter(([, value]) => value != null).map(([name, value]) => `${name} ${number.format(value)} tokens`);
    const said = [trace.trace_kind ?? "kind not stated", ...tokens, trace.finish, verdictOf(trace)].filter(Boolean).join(", ");
    yield told(row, "traces", n, `${trace.teacher ?? "teacher"} #${trace.sample ?? n}`, said);
  }
}

/* What a model wrote, unpacked when it is opened. */
function told(row, list, n, name, said) {
  const holder = make("div");
  const details = make("details", {}, make("summary", {}, make("bdi", {}, name), make("small", {}, ` ${said}`)), holder);
  details.addEventListener("toggle", async () => {
    if (!details.open || holder.childElementCount) return;
    const place = explorer.core.texts[row];
    const texts = place ? (await block(`text-${place[0]}`))[place[1]][list]?.[n] : null;
    if (!texts || (!texts[0] && !texts[1])) holder.append(make("p", { class: "note" }, "Its text is not in this file: it holds those of selected rows, as far as the run had them."));
    else for (const [part, text] of [["Thinking", texts[0]], ["Answer", texts[1]]]) if (text) holder.append(make("p", { class: "note" }, `${part}, ${count(text.length, "character")}`), fill(make("div", { class: "text", dir: "auto" }), text));
    void typeset();
  });
  return details;
}

const verdictOf = (entry) => ({ true: "right", false: "wrong" })[entry.verdict] ?? (entry.method ? "undecided" : "not graded");

function* attempts(row, given) {
  yield make("h3", {}, "Attempts");
  const cells = (tag, values) => values.map((value) => make(tag, {}, value));
  const rows = given.map((one) => make("tr", {}, ...cells("td", [make("bdi", {}, one.solver ?? ""), `${one.sample ?? ""}`, make("bdi", {}, ...visible((one.extracted ?? "").slice(0, 300))), verdictOf(one), one.method ?? "", one.tokens == null ? "" : number.format(one.tokens), one.finish ?? ""])));
  yield make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...cells("th", ["solver", "sample", "answer", "verdict", "by", "tokens", "ended by"]))), make("tbody", {}, ...rows)));
  if (!explorer.core.texts[row]) return;
  for (const [n, one] of given.entries()) yield told(row, "attempts", n, `${one.solver ?? "solver"} #${one.sample ?? n}`, `what it wrote, ${verdictOf(one)}`);
}

function pairs(values) {
  return make("dl", { class: "plain" }, ...Object.entries(values).flatMap(([name, value]) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return [make("dt", {}, name), fill(make("dd", { dir: "auto" }), text)];
  }));
}

function startDetail() {
  byId("row").addEventListener("close", () => {
    opened = null;
    history.replaceState(null, "", before || "#rows");
  });
  byId("row").addEventListener("click", (event) => event.target === byId("row") && byId("row").close());
  byId("row").addEventListener("keydown", (event) => {
    if (event.target.closest("input, select") || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    event.preventDefault();
    turn(event.key === "ArrowLeft" ? -1 : 1);
  });
}
