/* Blocks of the page: gzipped JSON in base64, each unpacked once, when it is asked for. */
const unpacked = new Map();

function block(name) {
  if (!unpacked.has(name)) {
    const element = document.getElementById(`data-${name}`);
    unpacked.set(name, element ? unpack(element.textContent).then((value) => (element.remove(), value)) : Promise.resolve(null));
  }
  return unpacked.get(name);
}

async function unpack(text) {
  const bytes = Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/* Lets the page breathe: everything long runs in slices of a few milliseconds. A message comes at
   once, where a timer that follows a timer waits four milliseconds. */
const SLICE = 8;
const waitingForAir = [];
const air = new MessageChannel();
air.port1.onmessage = () => waitingForAir.shift()();
const breath = () => new Promise((go) => {
  waitingForAir.push(go);
  air.port2.postMessage(null);
});
const number = new Intl.NumberFormat("en-US");
const count = (n, what) => `${number.format(n)} ${what}${n === 1 ? "" : "s"}`;
const inWords = (slug) => (slug || "").replaceAll("_", " ");

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const byId = (id) => document.getElementById(id);
