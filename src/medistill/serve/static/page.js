// Sends files to the server, one at a time, and shows what it says.
import { HUES, readPixels, show } from "./viewer.js";
import * as list from "./worklist.js";

const byId = (id) => document.getElementById(id);
const BAR = "meter";
let model = null;
let key = "";
let working = false;

class Refused extends Error {}

async function ask(path, options = {}) {
  for (;;) {
    const headers = key ? { "X-API-Key": key } : {};
    let response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch {
      throw new Refused("The server cannot be reached.");
    }
    if (response.ok) return response;
    if (response.status === 429) {
      const seconds = Number(response.headers.get("Retry-After")) || 1;
      say(`The server is busy; going on in ${seconds} s.`);
      await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      continue;
    }
    if (response.status === 401) byId("key-form").hidden = false;
    const said = await response.json().catch(() => ({}));
    throw new Refused(said.detail || `The server answered ${response.status}.`);
  }
}

function post(path, file) {
  const form = new FormData();
  form.append("files", file);
  return ask(path, { method: "POST", body: form });
}

const say = (text) => { byId("status").textContent = text; };
const percent = (value) => `${(100 * value).toFixed(1)} %`;

async function start() {
  try {
    model = await (await ask("/v1/model")).json();
    byId("card").textContent = await (await ask("/v1/card")).text();
  } catch (error) {
    say(error.message);
    return;
  }
  byId("key-form").hidden = true;
  say("");
  document.title = `${model.name} - medistill`;
  byId("name").textContent = model.name;
  const kinds = [...model.modalities, ...model.body_parts].join(", ");
  byId("about").textContent = `${model.task}: ${model.classes.join(", ")} (graph ${model.graph}` +
    `${kinds ? `; trained on ${kinds}` : ""})`;
  byId("notice").textContent = model.notice;
  if (model.masks) {
    Object.assign(byId("largest"), { textContent: "Area", title: "share of the picture that the mask covers" });
    byId("rule").textContent = "Areas";
    list.countArea(model.classes[0]);
  }
  byId("operating").textContent = operatingPoint();
  work();
}

function operatingPoint() {
  const limits = Object.entries(model.thresholds);
  const calibrated = model.calibrated
    ? "Probabilities are calibrated." : "Probabilities are the student's own; they are not calibrated.";
  if (model.masks) {
    const rule = limits.length ? "by its threshold" : "the most probable one";
    return `Each pixel is of one class, ${rule}; bars show shares of the picture. ${calibrated}`;
  }
  if (!limits.length) {
    const rule = model.task === "multi-label" ? "every class at 0.5 or more" : "the most probable class";
    return `The label is ${rule}. ${calibrated}`;
  }
  if (model.task !== "multi-label" && limits.length > 2) {
    const each = limits.map(([name, value]) => `${name} ${value.toFixed(3)}`).join(", ");
    return `The label is the class whose probability is largest relative to its threshold: ${each}. ${calibrated}`;
  }
  const said = limits.map(([name, value]) => `${name} from ${value.toFixed(3)}`).join(", ");
  return `The label holds at its threshold: ${said}. ${calibrated}`;
}

function take(files) {
  const first = list.items.length;
  for (const file of files) list.add(file);
  byId("clear").disabled = !list.items.length;
  if (files.length) list.select(first);
  work();
}

async function work() {
  if (working || !model) return;
  working = true;
  for (let item; (item = list.items.find((each) => !each.result && !each.problem));) {
    const left = list.items.filter((each) => !each.result && !each.problem).length;
    say(`${left} ${left === 1 ? "image" : "images"} to go`);
    await predict(item);
  }
  working = false;
  const failed = list.items.filter((item) => item.problem).length;
  const done = list.items.length - failed;
  say(list.items.length ? `${done} predicted${failed ? `, ${failed} could not be read` : ""}` : "");
  byId("csv").disabled = !list.items.length;
}

async function predict(item) {
  item.waiting = "working";
  list.refresh(item);
  try {
    const said = await (await post("/v1/predict", item.file)).json();
    item.result = said.results[0];
  } catch (error) {
    item.problem = error.message;
  }
  list.refresh(item);
  if (list.current() === item) await view(item);
}

async function view(item) {
  const waiting = !item.result && !item.problem;
  byId("viewer").hidden = waiting;
  byId("answer").hidden = !item.result;
  byId("stage").hidden = !item.result;
  byId("problem").hidden = !item.problem;
  byId("problem").textContent = item.problem || "";
  byId("picture-title").textContent = item.file.name;
  if (!item.result) return;
  tell(item.result);
  try {
    item.picture = item.picture || (await load(item));
  } catch (error) {
    byId("problem").hidden = false;
    byId("problem").textContent = error.message;
    return;
  }
  if (list.current() !== item) return;
  overlayNote(item.picture);
  show(item.picture);
}

async function load(item) {
  const response = await post("/v1/pixels", item.file);
  const picture = readPixels(await response.arrayBuffer(), response.headers);
  if (model.masks) {
    picture.mask = await createImageBitmap(await (await post("/v1/mask", item.file)).blob());
  } else if (model.explains) {
    picture.map = await (await post("/v1/explain", item.file)).json();
  }
  return picture;
}

function overlayNote(picture) {
  const note = byId("overlay-note");
  byId("opacity-label").hidden = !picture.map && !picture.mask;
  byId("mask-key").replaceChildren(...(picture.mask ? model.classes.slice(1) : []).map((name, i) => {
    const item = document.createElement("li");
    const colour = document.createElement("span");
    colour.className = `hue hue-${i % HUES.length}`;
    item.append(colour, name);
    return item;
  }));
  if (picture.mask) note.textContent = "Colours show the student's mask.";
  else if (!picture.map) note.textContent = "This bundle holds nothing that shows where the student looked.";
  else if (picture.map.target) note.textContent = `Colours show the evidence for ${picture.map.target}.`;
  else note.textContent = "Colours show attention rolled out over all blocks: where the student looked, not why.";
}

function tell(result) {
  const share = model.masks ? "share of the picture" : "probability";
  const held = result.label ? result.label.split("; ") : [];
  byId("label").textContent = model.masks
    ? `In the mask: ${result.label || "background alone"}` : `At the operating point: ${result.label || "no class"}`;
  byId("bars").replaceChildren(...model.classes.map((name) => {
    const bar = document.createElement("div");
    bar.className = held.includes(name) ? "bar held" : "bar";
    const value = result.probabilities[name];
    const [title, number, meter] = ["span", "span", BAR].map((tag) => document.createElement(tag));
    title.textContent = name;
    number.textContent = percent(value);
    meter.min = 0;
    meter.max = 1;
    meter.value = value;
    meter.setAttribute("aria-label", `${name}: ${share}`);
    bar.append(title, number, meter);
    return bar;
  }));
  byId("conformal").textContent = result.conformal
    ? `Conformal set: ${result.conformal.length ? result.conformal.join(", ") : "empty, no class fits"}` : "";
  const trust = byId("trust");
  trust.hidden = result.trusted === null;
  trust.className = result.trusted ? "trust good" : "trust bad";
  trust.textContent = result.trusted
    ? "This image is like those that the student was checked on."
    : `Do not trust this answer. ${result.reasons.join(" ")}`;
}

function download() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([list.csv(model.classes)], { type: "text/csv" }));
  link.download = "predictions.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

list.whenSelected(view);
byId("files").addEventListener("change", (event) => { take([...event.target.files]); event.target.value = ""; });
byId("csv").addEventListener("click", download);
byId("clear").addEventListener("click", () => {
  list.clear();
  for (const id of ["viewer", "answer"]) byId(id).hidden = true;
  for (const id of ["csv", "clear"]) byId(id).disabled = true;
  say("");
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  key = byId("key").value.trim();
  for (const item of list.items.filter((each) => each.problem)) item.problem = null;
  start();
});
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    byId("drop").classList.toggle("over", kind === "dragover");
    if (kind === "drop") take([...event.dataTransfer.files]);
  });
}
start();
