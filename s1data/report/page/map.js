/* The map: points on a canvas, a grid to find the nearest, the chosen drawn last and larger. */
const OTHERS = 8;
const atlas = { points: null, colour: "outcome", order: [], grid: new Map(), at: null, scale: null };

async function startMap() {
  const canvas = byId("map-canvas");
  if (!canvas) return;
  atlas.points = await block("map");
  await block("core");
  const { row } = atlas.points;
  const chosen = row.map((r) => fateOf(r).stage === null);
  atlas.order = row.map((_, n) => n).sort((a, b) => chosen[a] - chosen[b] || a - b);
  atlas.chosen = chosen;
  byId("map-colour").addEventListener("input", (event) => ((atlas.colour = event.target.value), paint()));
  canvas.addEventListener("pointermove", (event) => point(nearest(event.offsetX, event.offsetY)));
  canvas.addEventListener("pointerleave", () => point(null));
  canvas.addEventListener("click", (event) => {
    const hit = nearest(event.offsetX, event.offsetY);
    if (hit !== null) void open(row[hit]);
  });
  canvas.addEventListener("keydown", walk);
  new ResizeObserver(paint).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
}

const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/* Names and colours in use, and which of them each point has. */
function legend() {
  const { core } = explorer;
  const { row, right } = atlas.points;
  const { colour } = atlas;
  if (colour === "domain") {
    const sizes = new Map();
    row.forEach((r) => sizes.set(core.domain[r], (sizes.get(core.domain[r]) ?? 0) + 1));
    const top = [...sizes].filter(([d]) => d >= 0).sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, OTHERS).map(([d]) => d);
    const place = new Map(top.map((d, n) => [d, n]));
    const names = [...top.map((d) => core.domains[d]), "other domains"];
    return { names, colours: [...top.map((_, n) => ink(`--c${n}`)), ink("--quiet")], of: row.map((r) => place.get(core.domain[r]) ?? top.length) };
  }
  if (colour === "difficulty") {
    const names = ["never right", "sometimes right", "always right", "not tried"];
    const of = right.map((share) => (share === null ? 3 : share === 0 ? 0 : share === 1 ? 2 : 1));
    return { names, colours: [ink("--c0"), ink("--c1"), ink("--c2"), ink("--quiet")], of };
  }
  const labels = core.stages.map((stage) => stage.label).filter((label) => row.some((r) => fateOf(r).stage === label));
  const names = ["selected", ...labels.map((label) => `dropped by ${label}`)];
  const colours = [ink("--c0"), ...labels.map((_, n) => (n === labels.length - 1 ? ink("--quiet") : ink(`--c${(n % 5) + 1}`)))];
  return { names, colours, of: row.map((r) => (fateOf(r).stage === null ? 0 : 1 + labels.indexOf(fateOf(r).stage))) };
}

function paint() {
  const canvas = byId("map-canvas");
  const { clientWidth: width, clientHeight: height } = canvas;
  if (!atlas.points || !width) return;
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const pad = 14;
  const { x, y } = atlas.points;
  atlas.scale = (n) => [pad + (x[n] / 65535) * (width - 2 * pad), pad + (1 - y[n] / 65535) * (height - 2 * pad)];
  const { names, colours, of } = legend();
  const many = x.length > 6000 ? 1.3 : 2;
  const large = atlas.chosen.filter(Boolean).length > 400 ? 3 : 4;
  atlas.grid = new Map();
  for (const n of atlas.order) {
    const [left, top] = atlas.scale(n);
    const cell = `${left >> 4},${top >> 4}`;
    if (!atlas.grid.has(cell)) atlas.grid.set(cell, []);
    atlas.grid.get(cell).push(n);
    pen.beginPath();
    pen.arc(left, top, atlas.chosen[n] ? large : many, 0, 2 * Math.PI);
    pen.globalAlpha = atlas.chosen[n] ? 1 : 0.7;
    pen.fillStyle = colours[of[n]];
    pen.fill();
    if (atlas.chosen[n]) {
      pen.lineWidth = 1;
      pen.strokeStyle = ink("--ink");
      pen.stroke();
    }
  }
  const keys = names.map((name, n) => {
    const dot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    dot.setAttribute("viewBox", "0 0 10 10");
    dot.setAttribute("aria-hidden", "true");
    const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [key, value] of Object.entries({ cx: 5, cy: 5, r: 4.5, fill: colours[n] })) circle.setAttribute(key, value);
    dot.append(circle);
    return make("span", {}, dot, make("bdi", {}, ...visible(name.slice(0, 60))));
  });
  byId("map-key").replaceChildren(...keys);
  if (atlas.at !== null) point(atlas.at);
}

function nearest(left, top) {
  let best = null;
  let far = 12 ** 2;
  for (let i = (left >> 4) - 1; i <= (left >> 4) + 1; i += 1)
    for (let j = (top >> 4) - 1; j <= (top >> 4) + 1; j += 1)
      for (const n of atlas.grid.get(`${i},${j}`) ?? []) {
        const [x, y] = atlas.scale(n);
        const away = (x - left) ** 2 + (y - top) ** 2 - (atlas.chosen[n] ? 12 : 0);
        if (away <= far) [best, far] = [n, away];
      }
  return best;
}

function point(n) {
  const tip = byId("map-tip");
  atlas.at = n;
  tip.hidden = n === null;
  if (n === null) return;
  const row = atlas.points.row[n];
  const fate = fateOf(row);
  const [left, top] = atlas.scale(n);
  const canvas = byId("map-canvas");
  const said = fate.stage ? `${inWords(fate.reason)} · ${fate.stage}` : "selected";
  const where = explorer.core.domains[explorer.core.domain[row]];
  tip.replaceChildren(make("strong", { class: fate.stage ? "lost" : "kept" }, said), make("div", {}, make("small", {}, `${idOf(row)}${where ? ` · ${where.slice(0, 60)}` : ""}`)), make("div", { dir: "auto" }, ...visible((textOf(row) ?? "").slice(0, 300))));
  const wide = Math.min(canvas.clientWidth, 22 * 16);
  tip.style.left = `${Math.max(0, Math.min(left + 12, canvas.clientWidth - wide))}px`;
  tip.style.top = `${top + 14}px`;
  if (document.activeElement === canvas) spoken(`${said}: ${(textOf(row) ?? "").slice(0, 200)}`);
}

/* Arrow keys go to the nearest chosen point in that direction. */
function walk(event) {
  if (event.key === "Enter" && atlas.at !== null) return void open(atlas.points.row[atlas.at]);
  const way = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!way) return;
  event.preventDefault();
  const [left, top] = atlas.at === null ? [0, 0] : atlas.scale(atlas.at);
  const ahead = atlas.order.filter((n) => atlas.chosen[n] && n !== atlas.at).map((n) => {
    const [x, y] = atlas.scale(n);
    const along = (x - left) * way[0] + (y - top) * way[1];
    const aside = Math.abs((x - left) * way[1]) + Math.abs((y - top) * way[0]);
    return [n, along + 2 * aside, along];
  }).filter(([, , along]) => along > 0 || atlas.at === null).sort((a, b) => a[1] - b[1]);
  if (ahead.length) point(ahead[0][0]);
}
