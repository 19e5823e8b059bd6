// The experimenter's page. The token is in the URL fragment (after #), which browsers never send: no
// server, proxy or log sees it.

const element = (id) => document.getElementById(id);
const EVERY = 10_000;

function row(...values) {
  const made = document.createElement("tr");
  for (const value of values) {
    const cell = document.createElement("td");
    if (value instanceof Node) cell.append(value);
    else cell.textContent = value;
    if (typeof value === "number" || /^\d+ of \d+$/.test(value)) cell.className = "number";
    made.append(cell);
  }
  return made;
}

function bar(value, most, label) {
  const made = document.createElement("progress");
  made.max = most;
  made.value = value;
  made.setAttribute("aria-label", label);
  return made;
}

function draw(figures) {
  element("title").textContent = figures.title;
  const share = figures.votes ? `${Math.round((100 * figures.left) / figures.votes)}%` : "–";
  element("summary").textContent = `${figures.votes} votes, including catch trials, in ${figures.sessions.length} sessions. `
    + `Reference: ${figures.reference}. Left picture chosen in ${share} of votes (far from 50% indicates a side bias). `
    + "Preferences stay hidden until the study is analysed.";
  element("rule").textContent = `Rule: ${figures.rule}.`;
  element("methods").replaceChildren(...figures.methods.map((m) => row(m.method, m.votes, m.wanted, bar(m.votes, m.wanted, m.method))));
  element("sessions").replaceChildren(...figures.sessions.map((s) => row(
    s.rater, s.platform, s.name, s.state, `${s.answered} of ${s.given}`, s.minutes,
    `${s.catch_right} of ${s.catch_answered}`, s.excluded ? "yes" : "no", s.code ?? "–",
  )));
  element("when").textContent = `As of ${new Date().toLocaleTimeString()}`;
}

async function refresh() {
  try {
    const answer = await fetch("/api/overview", {
      headers: { authorization: `Bearer ${location.hash.slice(1) || "none"}` },
      credentials: "omit",
      cache: "no-store",
    });
    const content = await answer.json();
    if (answer.ok) draw(content);
    element("figures").hidden = !answer.ok;
    element("problem").textContent = answer.ok ? "" : content.error;
    element("problem").hidden = answer.ok;
  } catch {
    element("problem").textContent = "The server is not responding; trying again…";
    element("problem").hidden = false;
  }
}

refresh();
setInterval(refresh, EVERY);
addEventListener("hashchange", refresh);
