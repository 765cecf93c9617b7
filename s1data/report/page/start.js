/* What starts when the page is there: colours, formulas of the printed part, explorer, map. */
function startTheme() {
  const names = { auto: "Auto", light: "Light", dark: "Dark" };
  const button = byId("theme");
  let now = "auto";
  button.hidden = false;
  button.addEventListener("click", () => {
    now = { auto: "dark", dark: "light", light: "auto" }[now];
    if (now === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = now;
    button.textContent = names[now];
    button.setAttribute("aria-label", `Colours: ${now === "auto" ? "as the system" : now}`);
    paint();
  });
}

function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, select, textarea, dialog")) return;
    event.preventDefault();
    byId("q").focus();
    byId("rows").scrollIntoView();
  });
}

function startSections() {
  const links = new Map([...document.querySelectorAll(".top a")].map((link) => [link.hash.slice(1), link]));
  const watch = new IntersectionObserver((seen) => {
    for (const { target, isIntersecting } of seen) {
      if (isIntersecting) links.get(target.id)?.setAttribute("aria-current", "true");
      else links.get(target.id)?.removeAttribute("aria-current");
    }
  }, { rootMargin: "-45% 0px -50% 0px" });
  document.querySelectorAll("main > section").forEach((section) => watch.observe(section));
}

function startPrint() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("main details:not([open])")];
    closed.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((details) => (details.open = false)));
}

async function start() {
  startTheme();
  startKeys();
  startSections();
  startPrint();
  startDetail();
  document.querySelectorAll("[data-text]").forEach((element) => fill(element, element.textContent, element.dataset.span));
  addEventListener("hashchange", () => follow() && search());
  const rows = startRows();
  await block("core");
  await startMap();
  await rows;
  document.documentElement.dataset.ready = "true";
}

void start();
