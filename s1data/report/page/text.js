/* Untrusted text: only ever text nodes; formulas by KaTeX as MathML, built node by node. */
const STEP = 20000; /* characters shown at once */
const FORMULA = 2000; /* characters of a formula at most */
const ODD = /(?![\n\t\r\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;
const OPENERS = /\$\$|\\\[|\\\(|\$|\\begin\{(equation|align|gather|cases|array|[pbvBV]?matrix)(\*?)\}/g;

/* Pieces of a text: [kind, source, formula], kind being text, inline or display. */
function* pieces(text) {
  let from = 0;
  OPENERS.lastIndex = 0;
  for (let hit; (hit = OPENERS.exec(text)); ) {
    const found = formula(text, hit);
    if (!found) continue;
    if (hit.index > from) yield ["text", text.slice(from, hit.index)];
    yield [found.display ? "display" : "inline", text.slice(hit.index, found.end), found.tex];
    from = OPENERS.lastIndex = found.end;
  }
  if (from < text.length) yield ["text", text.slice(from)];
}

function formula(text, hit) {
  const [opener, environment, star] = hit;
  const start = hit.index + opener.length;
  if (hit.index > 0 && text[hit.index - 1] === "\\") return null;
  const near = text.slice(start, start + FORMULA);
  if (environment) {
    const closer = `\\end{${environment}${star}}`;
    const at = near.indexOf(closer);
    const end = start + at + closer.length;
    return at < 0 ? null : { display: true, end, tex: text.slice(hit.index, end) };
  }
  const closer = { $$: "$$", "\\[": "\\]", "\\(": "\\)", $: "$" }[opener];
  let at = near.indexOf(closer);
  while (at > 0 && opener === "$" && near[at - 1] === "\\") at = near.indexOf(closer, at + 1);
  if (at <= 0) return null;
  const tex = near.slice(0, at);
  if (tex.includes("\n\n") || !tex.trim()) return null;
  /* A dollar before a space, or one that closes before a digit, is money. */
  if (opener === "$" && (/^\s|\s$/.test(tex) || /\d/.test(near[at + 1] || ""))) return null;
  return { display: opener !== "$" && opener !== "\\(", end: start + at + closer.length, tex };
}

/* Characters that cannot be seen, or that turn the direction of what follows, get a name. */
function* visible(text) {
  let from = 0;
  for (const hit of text.matchAll(ODD)) {
    if (hit.index > from) yield text.slice(from, hit.index);
    const code = hit[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    yield make("span", { class: "odd", title: "a character that cannot be seen" }, `U+${code}`);
    from = hit.index + hit[0].length;
  }
  if (from < text.length) yield text.slice(from);
}

const waiting = [];
let setting = false;
async function typeset() {
  if (setting) return;
  setting = true;
  await breath(); /* until what was just made stands in the page */
  for (let until = performance.now() + SLICE; waiting.length; ) {
    const [element, tex, display] = waiting.shift();
    if (element.isConnected) {
      try {
        katex.render(tex, element, { output: "mathml", displayMode: display, trust: false, throwOnError: true, strict: "ignore", maxExpand: 200, maxSize: 10 });
      } catch {
        element.textContent = element.dataset.source; /* not TeX that KaTeX reads: as it was written */
      }
    }
    if (performance.now() > until) {
      await breath();
      until = performance.now() + SLICE;
    }
  }
  setting = false;
}

function maths(source, tex, display) {
  const element = make("span", { class: display ? "maths display" : "maths", "data-source": source }, source);
  /* Commands that are not trusted would be shown without what they hold: as they were written. */
  const untrusted = /\\(href|url|includegraphics|html(Class|Id|Style|Data))(?![a-zA-Z])/.test(tex);
  if (typeof katex !== "undefined" && !untrusted) waiting.push([element, tex, display]);
  return element;
}

/* Fills an element with a text, a step at a time; `span` are words to mark. */
function fill(element, text, span = "") {
  element.replaceChildren();
  const place = span ? find(text, span) : null;
  show(element, text, 0, place);
  void typeset();
  return element;
}

function show(element, text, from, place) {
  let to = Math.min(text.length, from + STEP);
  if (to < text.length && /[\ud800-\udbff]/.test(text[to - 1])) to += 1;
  const parts = place && place[0] >= from && place[1] <= to
    ? [[text.slice(from, place[0]), false], [text.slice(...place), true], [text.slice(place[1], to), false]]
    : [[text.slice(from, to), false]];
  for (const [part, marked] of parts) {
    const into = marked ? element.appendChild(make("mark")) : element;
    for (const [kind, source, tex] of pieces(part)) into.append(...(kind === "text" ? visible(source) : [maths(source, tex, kind === "display")]));
  }
  if (to < text.length) {
    const next = make("button", { type: "button", class: "more" }, `Show more (${number.format(text.length - to)} of ${number.format(text.length)} characters left)`);
    next.addEventListener("click", () => (next.remove(), show(element, text, to, place), void typeset()));
    element.append(next);
  }
}

/* Where the words of a span stand in a text, whatever white space is between them. */
function find(text, span) {
  const words = span.split(/\s+/).filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const hit = words.length ? new RegExp(words.join("\\s+"), "iu").exec(text.slice(0, 1e6)) : null;
  return hit ? [hit.index, hit.index + hit[0].length] : null;
}

/* An answer is often TeX without dollars. */
function answerOf(text) {
  const bare = /\\[a-zA-Z]|[\^_]\{/.test(text) && !/[$]|\\\(|\\\[/.test(text) && text.length < 400 && !text.includes("\n");
  const element = make("div", { class: "text", dir: "auto" });
  if (!bare) return fill(element, text);
  element.append(maths(text, text, false));
  return element;
}
