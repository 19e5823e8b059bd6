// Draw, translate, move styles. All pictures travel as data URLs to the server of this page alone.
const $ = (id) => document.getElementById(id);
const board = $("canvas").getContext("2d", { willReadFrequently: true });
const STYLES = 8, REACH = 3; // random styles a method; ends of the sliders, in standard deviations
let task = null, seed = 0, style = [], kept = { a: null, b: null }, shown = [], past = [], chosen = new Set();

async function ask(path, body) {
  const answer = await fetch(path, body === undefined ? {} : { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

function report(error) {
  $("error").textContent = error ? String(error.message ?? error) : "";
  $("error").hidden = !error;
}

let underWay = 0;
function busy(more) {
  underWay += more;
  document.body.setAttribute("aria-busy", underWay > 0);
}

// Only the newest wish counts: while one is under way, the next waits, and later ones replace it.
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

const picture = () => $("canvas").toDataURL("image/png");
const method = () => task.networks.find((network) => network.number === Number($("method").value));

function tile(url, name, pick) {
  const button = document.createElement("button"), image = document.createElement("img");
  image.src = url;
  image.alt = "";
  button.setAttribute("aria-label", name);
  button.append(image);
  button.addEventListener("click", pick);
  return button;
}

const translate = newest(async () => {
  const wanted = task.networks.filter((network) => chosen.has(network.number)).map((network) => network.number);
  if (!wanted.length) { $("results").replaceChildren(); return; }
  const begin = performance.now();
  const seeds = Array.from({ length: STYLES }, (_, k) => seed * STYLES + k);
  const { translations } = await ask("/api/translate", { picture: picture(), networks: wanted, seeds });
  const rows = wanted.map((number) => {
    const network = task.networks.find((one) => one.number === number), row = document.createElement("div");
    const title = document.createElement("h3"), tiles = document.createElement("div"), { pictures, codes } = translations[number];
    title.textContent = network.title + (network.random ? "" : " (one translation an input)");
    tiles.className = "tiles";
    tiles.dataset.method = network.method;
    tiles.append(...pictures.map((url, k) => tile(url, `${network.title}, style ${k + 1}`, () => {
      if (!codes.length) return;
      if (method().number !== number) {
        $("method").value = String(number);
        choose();
      }
      take(codes[k], `style ${k + 1}`);
    })));
    row.append(title, tiles);
    return row;
  });
  $("results").replaceChildren(...rows);
  $("took").textContent = `${Math.round(performance.now() - begin)} ms`;
});

const restyle = newest(async () => {
  if (!style.length) return;
  const number = method().number;
  const { translations } = await ask("/api/translate", { picture: picture(), networks: [number], seeds: [seed * STYLES], styles: [style] });
  $("styled").src = translations[number].pictures[0];
});

function refresh() { translate(); restyle(); }

function take(values, from) {
  style = values.slice();
  $("from").textContent = from;
  shown.forEach((slider, k) => {
    slider.value = style[k];
    slider.setAttribute("aria-valuetext", style[k].toFixed(2));
  });
  restyle();
}

function choose() {
  const { numbers, guided } = method();
  shown = Array.from({ length: numbers }, (_, k) => {
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: -REACH, max: REACH, step: 0.05, value: 0 });
    slider.addEventListener("input", () => {
      style[k] = Number(slider.value);
      $("from").textContent = "your own style";
      restyle();
    });
    return slider;
  });
  $("sliders").replaceChildren(...shown.map((slider, k) => {
    const label = document.createElement("label");
    label.append(`Number ${k + 1}`, slider);
    return label;
  }));
  $("guides").hidden = !guided;
  kept = { a: null, b: null };
  $("walk").disabled = true;
  take(Array(numbers).fill(0), "the mean style");
}

async function exampleStyle(url, name) {
  try {
    take((await ask("/api/style", { picture: url, networks: [method().number] })).style, name);
    report(null);
  } catch (error) { report(error); }
}

function paint(url) {
  const image = new Image();
  image.addEventListener("load", () => {
    remember();
    board.fillStyle = "#fff";
    board.fillRect(0, 0, 256, 256);
    const side = Math.min(image.width, image.height); // the middle, as networks see it
    board.drawImage(image, (image.width - side) / 2, (image.height - side) / 2, side, side, 0, 0, 256, 256);
    refresh();
  });
  image.addEventListener("error", () => report("That file is no picture that can be read."));
  image.src = url;
}

function remember() {
  past.push(board.getImageData(0, 0, 256, 256));
  if (past.length > 50) past.shift();
}

function clear() {
  board.fillStyle = "#fff";
  board.fillRect(0, 0, 256, 256);
}

async function open(number) {
  task = await ask("/api/task", String(number));
  const first = task.networks.find((network) => network.method === "munit") ?? task.networks[0];
  chosen = new Set([first.number]);
  $("tools").hidden = !task.draws;
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
  $("inputs").replaceChildren(...task.inputs.map((url, k) => tile(url, `Test input ${k + 1}`, () => paint(url))));
  $("inputs-title").hidden = !task.inputs.length;
  $("examples").replaceChildren(...task.examples.map((url, k) => tile(url, `Example ${k + 1}`, () => exampleStyle(url, `style of example ${k + 1}`))));
  const able = task.networks.filter((network) => network.numbers);
  $("style").hidden = !able.length;
  $("method").replaceChildren(...able.map((network) => new Option(network.title, network.number)));
  past = [];
  clear();
  if (able.length) {
    $("method").value = String((able.includes(first) ? first : able[0]).number);
    choose();
  }
  if (task.inputs.length) paint(task.inputs[0]); else refresh();
}

let drawing = false, last = null, erasing = false;
const at = (event) => {
  const box = $("canvas").getBoundingClientRect();
  return [(event.clientX - box.left) * 256 / box.width, (event.clientY - box.top) * 256 / box.height];
};
function stroke(to) {
  const fine = 256 / task.size; // a line of one pixel as the network sees it
  board.strokeStyle = erasing ? "#fff" : "#000";
  board.lineWidth = erasing ? 3 * fine : fine;
  board.lineCap = board.lineJoin = "round";
  board.beginPath();
  board.moveTo(...last);
  board.lineTo(...to);
  board.stroke();
  last = to;
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
  if (past.length) { board.putImageData(past.pop(), 0, 0); refresh(); }
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
fromFile($("file"), paint);
fromFile($("example-file"), (url, name) => exampleStyle(url, `style of ${name}`));
$("again").addEventListener("click", () => { seed += 1; translate(); });
$("method").addEventListener("change", choose);
for (const end of ["a", "b"]) {
  $(`keep-${end}`).addEventListener("click", () => {
    kept[end] = style.slice();
    $("walk").disabled = !(kept.a && kept.b);
    $("walk").value = end === "a" ? 0 : 1;
  });
}
$("walk").addEventListener("input", () => {
  const t = Number($("walk").value);
  take(kept.a.map((value, k) => (1 - t) * value + t * kept.b[k]), `${Math.round(100 * t)}% of the way from A to B`);
});
$("task").addEventListener("change", () => open(Number($("task").value)).catch(report));

try {
  const { tasks } = await ask("/api/tasks");
  $("task").replaceChildren(...tasks.map((name, k) => new Option(name, k)));
  await open(0);
} catch (error) { report(error); }
