// The rater's page: welcome, questions, completion code. No libraries, no build step, no other sites.

const element = (id) => document.getElementById(id);
const SECTIONS = ["welcome", "asking", "finished", "stopped"];
const LINK_NAMES = ["rater", "workerId", "assignmentId", "hitId", "PROLIFIC_PID", "STUDY_ID", "SESSION_ID"];
const MTURK = ["https://www.mturk.com", "https://workersandbox.mturk.com"];
const PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE";
// Milliseconds for which the pictures must be visible before an answer counts: an earlier key press
// belongs to the previous question.
const LEAST_LOOK = 250;

const query = new URLSearchParams(location.search);
const link = Object.fromEntries(LINK_NAMES.filter((n) => query.get(n)).map((n) => [n, query.get(n)]));
let study = null;
let token = null;
let question = null;
let ready = false;

// Browsers may block storage, especially inside a frame; then values last only as long as this page.
const memory = new Map();
function recall(key) {
  try { return localStorage.getItem(key); } catch { return memory.get(key) ?? null; }
}
function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { memory.set(key, value); }
}
const storageKey = (what) => ["study", study.name, what, link.workerId ?? link.PROLIFIC_PID ?? link.rater].join(":");

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

class Told extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

// Retry until the server answers. Requests are idempotent, so it is safe to repeat one whose answer
// was lost.
async function ask(path, content) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const options = content === undefined ? { headers } : {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(content),
  };
  for (let attempt = 0; ; attempt += 1) {
    let wait = Math.min(15, 2 ** attempt);
    try {
      const answer = await fetch(path, { ...options, credentials: "omit", cache: "no-store" });
      if (answer.ok) {
        trouble("");
        return await answer.json();
      }
      if (![429, 500, 502, 503, 504].includes(answer.status)) {
        const { error } = await answer.json().catch(() => ({ error: answer.statusText }));
        throw new Told(answer.status, error);
      }
      wait = Math.max(wait, Number(answer.headers.get("retry-after")) || 0);
    } catch (problem) {
      if (problem instanceof Told) throw problem;
    }
    trouble("The server is not responding. Your previous answers are saved; trying again…");
    await pause(1000 * wait);
  }
}

function trouble(text) {
  const box = element("trouble");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = !text;
}

function show(name) {
  const fresh = element(name).hidden;
  for (const section of SECTIONS) element(section).hidden = section !== name;
  element("bar").hidden = name !== "asking";
  if (fresh) scrollTo(0, 0);
}

function stop(text) {
  trouble("");
  element("stopped-text").textContent = text;
  show("stopped");
  element("stopped-title").focus();
}

function fill(id, lines) {
  element(id).replaceChildren(...lines.map((line) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    return paragraph;
  }));
}

const address = (id) => `/pictures/${id}.png`;

async function load(image, id) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      image.src = address(id) + (attempt ? `?again=${attempt}` : "");
      await image.decode();
      trouble("");
      return;
    } catch {
      trouble("A picture could not be loaded; trying again…");
      await pause(1000 * Math.min(15, 2 ** attempt));
    }
  }
}

function setReady(value) {
  ready = value;
  element("asking").classList.toggle("waiting", !value);
  for (const side of ["left", "right"]) element(side).setAttribute("aria-disabled", String(!value));
}

async function present(state) {
  question = state.question;
  if (!question) {
    finish(state);
    return;
  }
  setReady(false);
  for (const side of ["left", "right"]) element(side).classList.remove("chosen");
  element("progress-text").textContent = `Question ${state.done + 1} of ${state.total}`;
  element("progress-bar").max = state.total;
  element("progress-bar").value = state.done;
  show("asking");
  // Move the focus off the buttons, so that a key held down does not answer the next question.
  element("asking-title").focus({ preventScroll: true });
  await Promise.all(["input", "left", "right"].map((role) => load(element(`${role}-picture`), question[role])));
  await pause(LEAST_LOOK);
  setReady(true);
  for (const role of state.next ? ["input", "left", "right"] : []) new Image().src = address(state.next[role]);
}

async function choose(side) {
  if (!ready || element("asking").hidden) return;
  setReady(false);
  element(side).classList.add("chosen");
  try {
    await present(await ask("/api/votes", { question: question.id, choice: side }));
  } catch (problem) {
    if (!(problem instanceof Told)) throw problem;
    // Answered in another window, or reassigned meanwhile: continue with the session's current question.
    if ([404, 409].includes(problem.status)) await present(await ask("/api/session"));
    else stop(problem.message);
  }
}

function finish(state) {
  element("code").textContent = state.code;
  const turk = query.get("turkSubmitTo")?.replace(/\/$/, "");
  if (link.assignmentId && MTURK.includes(turk)) {
    const form = element("mturk");
    form.action = `${turk}/mturk/externalSubmit`;
    form.elements.assignmentId.value = link.assignmentId;
    form.elements.code.value = state.code;
    form.hidden = false;
  }
  if (study.completion_url) {
    element("onward-link").href = study.completion_url;
    element("onward").hidden = false;
  }
  show("finished");
  element("finished-title").focus();
}

async function start() {
  element("start").disabled = true;
  // Drawn once and stored: only with this number can the browser resume its session.
  let visit = recall(storageKey("visit"));
  if (!/^[0-9a-f]{32}$/.test(visit ?? "")) {
    visit = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
    remember(storageKey("visit"), visit);
  }
  try {
    const opened = await ask("/api/sessions", { ...link, visit, consent: true });
    token = opened.token;
    remember(storageKey("agreed"), link.assignmentId ?? link.SESSION_ID ?? "yes");
    await present(opened.state);
  } catch (problem) {
    if (!(problem instanceof Told)) throw problem;
    stop(problem.message);
  }
}

function refusal() {
  if (link.assignmentId === PREVIEW) return "This is a preview. Accept the task to begin.";
  if (link.workerId || link.PROLIFIC_PID || link.rater) return "";
  return "This link does not identify a participant. Please use the link that you were given.";
}

async function main() {
  study = await ask("/api/study");
  document.title = study.title;
  element("study-title").textContent = study.title;
  element("welcome-title").textContent = study.title;
  fill("instructions", study.instructions);
  fill("consent", study.consent);
  element("count").textContent = `There are ${study.per_rater} questions.`;
  element("contact").textContent = `Questions? ${study.contact}`;
  element("contact").hidden = !study.contact;
  element("not-yet").textContent = refusal();
  element("not-yet").hidden = !refusal();
  element("start").hidden = Boolean(refusal());
  if (!refusal() && recall(storageKey("agreed")) === (link.assignmentId ?? link.SESSION_ID ?? "yes")) {
    await start();
  } else {
    show("welcome");
    element("welcome-title").focus({ preventScroll: true });
  }
}

const KEYS = { ArrowLeft: "left", 1: "left", ArrowRight: "right", 2: "right" };
document.addEventListener("keydown", (event) => {
  const side = KEYS[event.key];
  if (!side || event.repeat || event.ctrlKey || event.altKey || event.metaKey || element("asking").hidden) return;
  event.preventDefault();
  choose(side);
});
element("left").addEventListener("click", () => choose("left"));
element("right").addEventListener("click", () => choose("right"));
element("start").addEventListener("click", start);
element("copy").addEventListener("click", async () => {
  getSelection().selectAllChildren(element("code"));
  try {
    await navigator.clipboard.writeText(element("code").textContent);
    element("copy").textContent = "Copied";
  } catch {
    element("copy").textContent = "Selected: please copy it";
  }
});

main();
