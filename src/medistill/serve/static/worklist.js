// The worklist: rows, their selection by mouse and keyboard, and the CSV file.
const table = document.getElementById("worklist");
const body = table.querySelector("tbody");
export const items = [];
let selected = -1;
let onSelect = () => {};
let largest = (probabilities) => Math.max(...Object.values(probabilities));

export function whenSelected(listener) {
  onSelect = listener;
}

// Masks: the share of the picture that is not background.
export function countArea(background) {
  largest = (shares) => 1 - shares[background];
}

export function add(file) {
  const item = { file, row: body.insertRow(), result: null, problem: null, waiting: "waiting" };
  for (let i = 0; i < 4; i += 1) item.row.insertCell();
  item.row.addEventListener("click", () => select(items.indexOf(item)));
  items.push(item);
  refresh(item);
  return item;
}

export function refresh(item) {
  const { result, problem } = item;
  const best = result ? largest(result.probabilities) : null;
  const texts = [
    item.file.name,
    problem ? problem : result ? result.label || "none" : item.waiting,
    best === null ? "" : best.toFixed(3),
    !result || result.trusted === null ? "" : result.trusted ? "yes" : "do not trust",
  ];
  texts.forEach((text, i) => { item.row.cells[i].textContent = text; });
  // A problem is a sentence, and has the room of all answers.
  item.row.cells[1].colSpan = problem ? 3 : 1;
  for (const i of [2, 3]) item.row.cells[i].hidden = Boolean(problem);
  item.row.classList.toggle("failed", Boolean(problem));
}

export function select(index) {
  if (index < 0 || index >= items.length) return;
  if (items[selected]) items[selected].row.setAttribute("aria-selected", "false");
  selected = index;
  items[index].row.setAttribute("aria-selected", "true");
  items[index].row.scrollIntoView({ block: "nearest" });
  onSelect(items[index]);
}

export const current = () => items[selected] || null;

export function clear() {
  items.length = 0;
  selected = -1;
  body.replaceChildren();
}

export function csv(classes) {
  const head = ["file", "label", ...classes, "conformal set", "trusted", "reasons", "problem"];
  const rows = items.filter((item) => item.result || item.problem).map((item) => {
    const found = item.result;
    const chances = classes.map((name) => (found ? String(found.probabilities[name]) : ""));
    const conformal = found && found.conformal ? found.conformal.join("; ") : "";
    const trusted = found && found.trusted !== null ? String(found.trusted) : "";
    const reasons = found ? found.reasons.join(" ") : "";
    return [item.file.name, found ? found.label : "", ...chances, conformal, trusted, reasons, item.problem || ""];
  });
  return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function cell(text) {
  // A spreadsheet would run a name that starts like a formula.
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

table.addEventListener("keydown", (event) => {
  const steps = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 };
  if (event.key in steps) {
    event.preventDefault();
    select(selected < 0 ? 0 : Math.min(items.length - 1, Math.max(0, selected + steps[event.key])));
  } else if (event.key === "Enter" && selected < 0) {
    select(0);
  }
});
