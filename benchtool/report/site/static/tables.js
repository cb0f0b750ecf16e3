// Tables that sort (th[data-sort], numbers from the greatest on unless data-first says otherwise) and filter (form.tools, for the tables
// of its section), and buttons that copy ([data-copy]).
// Without this script everything is there, in the order of the page.
"use strict";

const GAPS = new Set(["", "–", "n/a", "missing"]); // cells without a value stay last, whatever the order
const collator = new Intl.Collator("en", { numeric: true });

const said = document.createElement("p");
said.className = "unseen";
said.setAttribute("aria-live", "polite");
document.body.append(said);

/** What a cell sorts by: its data-value, else its text; null where it has none. */
function content(row, column) {
  const cell = row.cells[column];
  const text = (cell.dataset.value ?? cell.textContent).trim();
  return GAPS.has(text) ? null : text;
}

function number(text) {
  return Number(text.replace("−", "-").replace("∞", "Infinity"));
}

function sort(table, head) {
  const body = table.tBodies[0];
  table.order ??= [...body.rows]; // as the page has it
  const column = head.cellIndex;
  const keys = table.order.map((row) => content(row, column));
  const numeric = keys.every((key) => key === null || !Number.isNaN(number(key)));
  const steps = !numeric || head.dataset.first === "ascending" ? ["ascending", "descending", null] : ["descending", "ascending", null];
  const step = steps[(steps.indexOf(head.getAttribute("aria-sort")) + 1) % 3];
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  const name = head.dataset.sort;
  if (step === null) {
    body.append(...table.order);
    said.textContent = "In the order of the page";
    return;
  }
  head.setAttribute("aria-sort", step);
  const sign = step === "ascending" ? 1 : -1;
  const values = numeric ? keys.map((key) => (key === null ? null : number(key))) : keys;
  const compare = numeric ? (a, b) => a - b : collator.compare;
  const places = [...keys.keys()].sort((a, b) => {
    if (values[a] === null || values[b] === null) return (values[a] === null) - (values[b] === null) || a - b;
    return sign * compare(values[a], values[b]) || a - b;
  });
  body.append(...places.map((place) => table.order[place]));
  said.textContent = `Sorted by ${name}, ${step}`;
}

for (const head of document.querySelectorAll("th[data-sort]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  if (button.textContent.trim() !== head.dataset.sort) button.setAttribute("aria-label", head.dataset.sort);
  button.title = "Sort by this column";
  head.append(button);
  button.addEventListener("click", () => sort(head.closest("table"), head));
}

for (const form of document.querySelectorAll("form.tools")) {
  const rows = [...form.closest("section").querySelectorAll("table[data-rows] > tbody > tr")];
  const names = (row) => [...row.querySelectorAll("th, td.text")].map((cell) => cell.dataset.value ?? cell.textContent); // not the numbers
  const texts = rows.map((row) => names(row).join("\n").toLowerCase());
  const [words, measured, count] = ["[type=search]", "[type=checkbox]", ".count"].map((name) => form.querySelector(name));
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, place) => {
      row.hidden = !wanted.every((word) => texts[place].includes(word)) || Boolean(measured?.checked && !row.hasAttribute("data-measured"));
      shown += !row.hidden;
    });
    count.textContent = shown === rows.length ? "" : `${shown} of ${rows.length} rows`;
  };
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter(); // what a reloaded page remembers
}

for (const button of document.querySelectorAll("[data-copy]")) {
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Selected: copy with Ctrl+C";
    }
    said.textContent = button.textContent;
    setTimeout(() => (button.textContent = label), 2500);
  });
}
