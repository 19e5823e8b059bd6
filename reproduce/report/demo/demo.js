// Draw, translate, change styles. Pictures are sent as data URLs, to the server of this page only.
const $ = (id) => document.getElementById(id);
const board = $("canvas").getContext("2d", { willReadFrequently: true });
const STYLES = 8, REACH = 3; // random styles per method; range of the sliders, in standard deviations
const LARGEST = 19_000_000; // characters of a picture; just below the server's limit
let task = null, seed = 0, side = 256, past = [], chosen = new Set();
let original = null; // the exact test input on the board; null once something is drawn
let wish = null, style = [], kept = {}, sliders = []; // the request of "One style", and its numbers

async function ask(path, body) {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(path, body === undefined ? {} : post);
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

function report(error) {
  const told = error instanceof TypeError ? "The server does not answer: is it still running?" : error?.message ?? error;
  $("error").textContent = told ?? "";
  $("error").hidden = !told;
}

let underWay = 0;
function busy(more) {
  underWay += more;
  document.body.setAttribute("aria-busy", underWay > 0);
}

// Only the newest request counts: while one is running, the next one waits, and later ones replace it.
function newest(work) {
  let running = false, again = false;
  return async function run() {
    again = true;
    if (running) return;
    running = true;
    busy(1);
    while (again) {
      again = false;
      try { await work(); report(null); } catch (error) { report(error); }
    }
    running = false;
    busy(-1);
  };
}

const picture = () => original ?? $("canvas").toDataURL("image/png");
const method = () => task.networks.find((network) => network.number === Number($("method").value));

function image(url) {
  const made = document.createElement("img");
  made.src = url;
  made.alt = "";
  return made;
}

function tile(url, name, pick) {
  const button = document.createElement("button");
  button.setAttribute("aria-label", name);
  button.append(image(url));
  button.addEventListener("click", pick);
  return button;
}

function row(network, { pictures, codes }) {
  const made = document.createElement("div"), title = document.createElement("h3"), tiles = document.createElement("div");
  title.textContent = network.random ? network.title : `${network.title}: one translation per input`;
  tiles.className = "tiles";
  tiles.dataset.method = network.method;
  tiles.append(...pictures.map((url, k) => {
    const name = `${network.title}, style ${k + 1}`;
    if (codes.length) return tile(url, name, () => pick(network, codes[k], `style ${k + 1}`));
    const shown = image(url);
    shown.alt = name;
    return shown;
  }));
  made.append(title, tiles);
  return made;
}

const translate = newest(async () => {
  const wanted = task.networks.filter((network) => chosen.has(network.number));
  $("results").classList.toggle("several", wanted.length > 1);
  $("took").textContent = wanted.length ? "" : "Choose a method.";
  if (!wanted.length) { $("results").replaceChildren(); return; }
  const begin = performance.now();
  const { translations } = await ask("/api/translate", {
    picture: picture(), networks: wanted.map((network) => network.number),
    seeds: Array.from({ length: STYLES }, (_, k) => seed * STYLES + k),
  });
  const rows = wanted.map((network) => row(network, translations[network.number]));
  $("results").replaceChildren(...rows);
  const count = $("results").querySelectorAll(".tiles > *").length;
  $("took").textContent = `${count} ${count === 1 ? "picture" : "pictures"} in ${Math.round(performance.now() - begin)} ms`;
});

const restyle = newest(async () => {
  if (!wish) return;
  const { number } = method(), asked = wish;
  const { translations } = await ask("/api/translate", { picture: picture(), networks: [number], seeds: [seed * STYLES], ...asked });
  $("styled").src = translations[number].pictures[0];
  if (asked === wish && asked.walk) show(translations[number].codes[0]);
});

function refresh() { translate(); restyle(); }

function show(values) {
  style = values.slice();
  sliders.forEach((slider, k) => {
    slider.value = style[k];
    tell(slider, style[k]);
  });
}

function tell(slider, value) {
  const text = value.toFixed(2).replace("-", "−");
  slider.setAttribute("aria-valuetext", text);
  slider.previousSibling.textContent = text;
}

function take(values, from) {
  wish = { styles: [values] };
  show(values);
  $("from").textContent = from;
  restyle();
}

function pick(network, values, from) {
  if (method().number !== network.number) {
    $("method").value = String(network.number);
    choose();
  }
  take(values, from);
}

function choose() {
  const { numbers, unguided } = method();
  sliders = Array.from({ length: numbers }, (_, k) => {
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: -REACH, max: REACH, step: 0.05, value: 0 });
    slider.addEventListener("input", () => {
      style[k] = Number(slider.value);
      tell(slider, style[k]);
      wish = { styles: [style] };
      $("from").textContent = "your own style";
      restyle();
    });
    return slider;
  });
  $("sliders").replaceChildren(...sliders.map((slider, k) => {
    const label = document.createElement("label");
    label.append(`Number ${k + 1}`, document.createElement("span"), slider);
    return label;
  }));
  $("guides").hidden = Boolean(unguided);
  $("unguided").hidden = !unguided;
  $("unguided").textContent = `${unguided}.`;
  kept = {};
  $("walk").disabled = true;
  for (const end of ["a", "b"]) $(`keep-${end}`).firstElementChild.hidden = true;
  take(Array(numbers).fill(0), "the mean style");
}

async function exampleStyle(url, name) {
  try {
    if (url.length > LARGEST) throw new Error("This file is larger than 14 MB: scale the picture down.");
    take((await ask("/api/style", { picture: url, networks: [method().number] })).style, name);
    report(null);
  } catch (error) { report(error); }
}

function paint(url, exact = false) {
  const painted = new Image();
  painted.addEventListener("load", () => {
    remember();
    clear();
    const short = Math.min(painted.width, painted.height); // centre crop, as for the networks
    board.drawImage(painted, (painted.width - short) / 2, (painted.height - short) / 2, short, short, 0, 0, side, side);
    original = exact ? url : null;
    refresh();
  });
  painted.addEventListener("error", () => report("The browser cannot read this file as a picture: use PNG, JPEG or WebP."));
  painted.src = url;
}

function remember() {
  past.push({ pixels: board.getImageData(0, 0, side, side), original });
  if (past.length > 50) past.shift();
}

function clear() {
  original = null;
  board.fillStyle = "#fff";
  board.fillRect(0, 0, side, side);
}

async function open(number) {
  task = await ask("/api/task", { task: number });
  const first = task.networks.find((network) => network.method === "munit") ?? task.networks[0];
  task.networks = [first, ...task.networks.filter((network) => network !== first)];
  chosen = new Set([first.number]);
  side = Math.max(256, task.size);
  Object.assign($("canvas"), { width: side, height: side, className: task.draws ? "draws" : "" });
  board.imageSmoothingQuality = "high";
  $("tools").hidden = !task.draws;
  $("lead").textContent = `${task.draws ? "Draw edges or choose" : "Choose"} a picture to translate it in random styles. Nothing leaves this machine.`;
  $("methods").replaceChildren(...task.networks.map((network) => {
    const button = document.createElement("button");
    button.textContent = network.title;
    button.setAttribute("aria-pressed", chosen.has(network.number));
    button.addEventListener("click", () => {
      if (!chosen.delete(network.number)) chosen.add(network.number);
      button.setAttribute("aria-pressed", chosen.has(network.number));
      translate();
    });
    return button;
  }));
  $("inputs").replaceChildren(...task.inputs.map((url, k) => tile(url, `Test input ${k + 1}`, () => paint(url, true))));
  $("inputs-title").hidden = !task.inputs.length;
  $("examples").replaceChildren(...task.examples.map((url, k) => tile(url, `Example ${k + 1}`, () => exampleStyle(url, `style of example ${k + 1}`))));
  const able = task.networks.filter((network) => network.numbers);
  $("style").hidden = !able.length;
  $("method").replaceChildren(...able.map((network) => new Option(network.title, network.number)));
  past = [];
  clear();
  wish = null;
  if (able.length) choose();
  if (task.inputs.length) paint(task.inputs[0], true); else refresh();
}

let drawing = false, last = null, erasing = false;
const at = (event) => {
  const box = $("canvas").getBoundingClientRect();
  return [(event.clientX - box.left) * side / box.width, (event.clientY - box.top) * side / box.height];
};
function stroke(to) {
  const fine = side / task.size; // one pixel of the network's input
  board.strokeStyle = erasing ? "#fff" : "#000";
  board.lineWidth = erasing ? 3 * fine : fine;
  board.lineCap = board.lineJoin = "round";
  board.beginPath();
  board.moveTo(...last);
  board.lineTo(...to);
  board.stroke();
  last = to;
  original = null;
}
$("canvas").addEventListener("pointerdown", (event) => {
  if (!task?.draws) return;
  drawing = true;
  $("canvas").setPointerCapture(event.pointerId);
  remember();
  last = at(event);
  stroke(last);
  refresh();
});
$("canvas").addEventListener("pointermove", (event) => {
  if (!drawing) return;
  stroke(at(event));
  refresh();
});
for (const end of ["pointerup", "pointercancel"]) {
  $("canvas").addEventListener(end, () => { if (drawing) { drawing = false; refresh(); } });
}
function tool(eraser) {
  erasing = eraser;
  $("pen").setAttribute("aria-pressed", !eraser);
  $("eraser").setAttribute("aria-pressed", eraser);
}
$("pen").addEventListener("click", () => tool(false));
$("eraser").addEventListener("click", () => tool(true));
$("clear").addEventListener("click", () => { remember(); clear(); refresh(); });
$("undo").addEventListener("click", () => {
  if (!past.length) return;
  const before = past.pop();
  board.putImageData(before.pixels, 0, 0);
  original = before.original;
  refresh();
});
function fromFile(input, use) {
  input.addEventListener("change", () => {
    const [file] = input.files;
    if (!file) return;
    const reader = new FileReader();
    reader.addEventListener("load", () => use(reader.result, file.name));
    reader.readAsDataURL(file);
    input.value = "";
  });
}
fromFile($("file"), (url) => paint(url));
fromFile($("example-file"), (url, name) => exampleStyle(url, `style of ${name}`));
$("again").addEventListener("click", () => { seed += 1; translate(); });
$("method").addEventListener("change", choose);
for (const end of ["a", "b"]) {
  $(`keep-${end}`).addEventListener("click", () => {
    const thumbnail = $(`keep-${end}`).firstElementChild;
    kept[end] = style.slice();
    thumbnail.src = $("styled").src;
    thumbnail.hidden = false;
    $("walk").disabled = !(kept.a && kept.b);
    $("walk").value = end === "a" ? 0 : 1;
  });
}
$("walk").addEventListener("input", () => {
  const share = Number($("walk").value);
  wish = { walk: { first: kept.a, last: kept.b, share } };
  $("from").textContent = `${Math.round(100 * share)}% of the way from A to B`;
  restyle();
});
$("task").addEventListener("change", () => open(Number($("task").value)).catch(report));

try {
  const { tasks } = await ask("/api/tasks");
  $("task").replaceChildren(...tasks.map((name, k) => new Option(name, k)));
  await open(0);
} catch (error) { report(error); }
