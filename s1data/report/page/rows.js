/* The explorer: filters and search over every row, a list that holds only the lines in view. */
const ROW_HEIGHT = 56;
const FIELDS = ["q", "outcome", "stage", "reason", "source", "domain"];
const explorer = { core: null, texts: [], lower: [], found: [], at: -1, turn: 0, loaded: 0, unknown: "" };

const idOf = (row) => explorer.core.ids.slice(row * 16, row * 16 + 16).trim();
const fateOf = (row) => explorer.core.fates[explorer.core.fate[row]];
const textOf = (row) => explorer.texts[Math.floor(row / explorer.core.list_rows)]?.[row % explorer.core.list_rows];

async function startRows() {
  const core = (explorer.core = await block("core"));
  options("stage", core.stages.map((stage) => stage.label).filter((label) => core.fates.some((fate) => fate.stage === label)));
  options("reason", [...new Set(core.fates.map((fate) => fate.reason).filter(Boolean))].sort(), inWords);
  options("source", core.sources);
  options("domain", core.domains);
  byId("filters").addEventListener("input", () => (remember(), void search()));
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("reset", () => setTimeout(() => (remember(), void search())));
  byId("list").addEventListener("scroll", draw, { passive: true });
  byId("list").addEventListener("keydown", keys);
  byId("q").addEventListener("keydown", (event) => {
    if (!["ArrowDown", "ArrowUp", "Enter"].includes(event.key) || event.isComposing) return;
    byId("list").focus({ preventScroll: true });
    if (event.key === "ArrowDown") choose(explorer.at); /* the first found, not the one behind it */
    else keys(event);
    event.preventDefault();
  });
  new ResizeObserver(draw).observe(byId("list"));
  follow();
  await search();
  const blocks = Math.ceil(core.rows / core.list_rows);
  for (let n = 0; n < blocks; n += 1) {
    explorer.texts[n] = await block(`list-${n}`);
    explorer.loaded = (n + 1) / blocks;
    if (n === 0 || n === blocks - 1) draw();
    await breath();
  }
  await search();
}

function options(id, names, shown = (name) => name) {
  const some = names.slice(0, 2000);
  byId(id).append(...some.map((name) => make("option", { value: name }, [...visible(shown(name))].map((part) => part.textContent ?? part).join("").slice(0, 80))));
  byId(id).closest("label").hidden = names.length === 0;
}

/* The row numbers that pass all filters, found in slices; a newer search ends an older one. */
async function search() {
  const turn = (explorer.turn += 1);
  document.documentElement.dataset.searching = "true";
  const { core } = explorer;
  const want = Object.fromEntries(FIELDS.map((field) => [field, byId(field).value]));
  const terms = want.q.toLowerCase().split(/\s+/).filter(Boolean);
  const fates = core.fates.map((fate) =>
    (!want.outcome || (want.outcome === "selected") === (fate.stage === null)) &&
    (!want.stage || fate.stage === want.stage) && (!want.reason || fate.reason === want.reason));
  const source = want.source ? core.sources.indexOf(want.source) : null;
  const domain = want.domain ? core.domains.indexOf(want.domain) : null;
  const found = [];
  let until = performance.now() + SLICE;
  for (let row = 0; row < core.rows && !explorer.unknown; row += 1) {
    if (fates[core.fate[row]] && (source === null || core.source[row] === source) && (domain === null || core.domain[row] === domain) && (!terms.length || matches(row, terms))) found.push(row);
    if ((row & 255) === 0 && performance.now() > until) {
      await breath();
      if (turn !== explorer.turn) return;
      until = performance.now() + SLICE;
    }
  }
  if (turn !== explorer.turn) return;
  delete document.documentElement.dataset.searching;
  explorer.found = found;
  explorer.at = found.length ? 0 : -1;
  byId("list").scrollTop = 0;
  const still = explorer.loaded < 1 ? ` Texts are being unpacked (${Math.round(explorer.loaded * 100)} %) and searched when they are there.` : "";
  byId("found").textContent = explorer.unknown || `${number.format(found.length)} of ${count(core.rows, "row")}${still}`;
  draw();
}

function matches(row, terms) {
  const size = explorer.core.list_rows;
  const n = Math.floor(row / size);
  if (!explorer.lower[n] && explorer.texts[n]) explorer.lower[n] = explorer.texts[n].map((text) => text.toLowerCase());
  const text = explorer.lower[n]?.[row % size] ?? "";
  const id = idOf(row);
  return terms.every((term) => text.includes(term) || (term.length >= 4 && id.startsWith(term)));
}

function draw() {
  const list = byId("list");
  const { found } = explorer;
  byId("rail").style.height = `${found.length * ROW_HEIGHT}px`;
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_HEIGHT) - 4);
  const last = Math.min(found.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW_HEIGHT) + 4);
  byId("rail").replaceChildren(...Array.from({ length: last - first }, (_, n) => line(first + n)));
  if (explorer.at >= first && explorer.at < last) list.setAttribute("aria-activedescendant", `line-${explorer.at}`);
  else list.removeAttribute("aria-activedescendant");
}

function line(place) {
  const row = explorer.found[place];
  const { core } = explorer;
  const fate = fateOf(row);
  const text = textOf(row);
  const head = make("span", { dir: "auto" }, ...visible((text ?? "…").slice(0, 240).replace(/\s+/g, " ") || "(no question)"));
  const where = [core.sources[core.source[row]], core.domains[core.domain[row]]].filter(Boolean).map((name) => name.slice(0, 80));
  const small = make("small", {}, make("span", { class: `fate ${fate.stage ? "lost" : "kept"}` }, fate.stage ? `${inWords(fate.reason)} · ${fate.stage}` : "selected"), " · ", make("span", { class: "id" }, idOf(row) || `row ${row}`), ...where.flatMap((name) => [" · ", make("bdi", {}, ...visible(name))]));
  const element = make("div", { class: "line", role: "option", id: `line-${place}`, "aria-selected": String(place === explorer.at), "aria-setsize": explorer.found.length, "aria-posinset": place + 1, onclick: () => ((explorer.at = place), open(row)) }, head, small);
  element.style.top = `${place * ROW_HEIGHT}px`;
  return element;
}

function choose(place) {
  const list = byId("list");
  explorer.at = Math.max(0, Math.min(explorer.found.length - 1, place));
  const top = explorer.at * ROW_HEIGHT;
  if (top < list.scrollTop) list.scrollTop = top;
  if (top + ROW_HEIGHT > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW_HEIGHT - list.clientHeight;
  draw();
}

function keys(event) {
  const page = Math.max(1, Math.floor(byId("list").clientHeight / ROW_HEIGHT) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (event.key in steps && explorer.found.length) choose(explorer.at + steps[event.key]);
  else if (event.key === "Enter" && explorer.at >= 0) open(explorer.found[explorer.at]);
  else return;
  event.preventDefault();
}

/* Filters stand in the address, so that a view can be linked to. */
function remember() {
  explorer.unknown = "";
  const given = FIELDS.map((field) => [field, byId(field).value]).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  history.replaceState(null, "", query ? `#rows?${query}` : "#rows");
}

function follow() {
  const [name, query] = location.hash.slice(1).split("?");
  const link = /^(row|id)=(.*)$/.exec(name);
  if (link) {
    const row = link[1] === "id" ? rowOf(link[2]) : /^\d+$/.test(link[2]) ? Number(link[2]) : -1;
    if (row >= 0 && row < explorer.core.rows) open(row);
    else missing(link[0]);
    return false;
  }
  if (byId("row").open) byId("row").close();
  if (name !== "rows" || query === undefined) return false;
  const given = new URLSearchParams(query);
  for (const field of FIELDS) byId(field).value = given.get(field) ?? "";
  const unknown = FIELDS.filter((field) => given.get(field) && byId(field).value !== given.get(field));
  explorer.unknown = unknown.map((field) => `No row has the ${field} ${given.get(field).slice(0, 80)}.`).join(" ");
  byId("rows").scrollIntoView();
  return true;
}

/* The row with that id, or whose id begins so. */
function rowOf(id) {
  if (!/^[0-9a-f]{1,16}$/.test(id)) return -1;
  const { ids, rows } = explorer.core;
  for (let row = 0; row < rows; row += 1) if (ids.startsWith(id, row * 16)) return row;
  return -1;
}

const spoken = (text) => (byId("spoken").textContent = text);
