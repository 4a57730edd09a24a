// The agent page: sections come from the server as they change; commands go to the API.
"use strict";
const {agent, key} = document.body.dataset;
const trouble = document.getElementById("trouble");
let ahead = 0;
let source;
let lost = false;

function tell(text) {
  trouble.textContent = text;
  trouble.hidden = !text;
}

// A section is replaced only if it has changed, so that nothing half written is lost; the focus stays.
const shown = {};
function show(sections) {
  for (const [id, html] of Object.entries(sections)) {
    if (shown[id] === html) continue;
    shown[id] = html;
    if (id === "questions" && isSame(html)) continue;
    const focused = document.activeElement && document.activeElement.id;
    document.getElementById(id).innerHTML = html;
    if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
  }
  beginQuestions();
  tick();
}

// The questionnaire of the same call stays as it stands there, but for the line above it.
function isSame(html) {
  const made = document.createElement("template");
  made.innerHTML = html;
  const [now, then] = [made.content, document].map((place) => place.querySelector("[data-asked]"));
  if (!now || !then || now.dataset.asked !== then.dataset.asked) return false;
  document.getElementById("questions-note").textContent = now.querySelector("#questions-note").textContent;
  return true;
}

// Each connection begins with everything as it is now.
function connect() {
  if (source) source.close();
  source = new EventSource("/agent/events");
  source.onmessage = (message) => {
    const {now, sections} = JSON.parse(message.data);
    ahead = Date.parse(now) - Date.now();
    tell("");
    show(sections);
    if (lost) load();
    lost = false;
  };
  source.addEventListener("gone", () => { location.href = "/sign-in"; });
  source.onerror = () => {
    lost = true;
    tell("The connection is lost. What you see may be old; it is being tried again.");
    if (source.readyState === EventSource.CLOSED) setTimeout(again, 2000);
  };
}

// The daemon answered, and not with events: perhaps since the session is over.
async function again() {
  const answer = await fetch("/agent", {redirect: "manual"}).catch(() => null);
  if (answer && answer.type === "opaqueredirect") location.href = "/sign-in";
  else connect();
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes}:${two(whole % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

function tick() {
  const now = Date.now() + ahead;
  for (const shown of document.querySelectorAll("time.timer")) {
    const {since, until} = shown.dataset;
    shown.textContent = clock((since ? now - Date.parse(since) : Date.parse(until) - now) / 1000);
  }
}

async function send(command, body) {
  const [method, path] = command.split(" ");
  const headers = {"content-type": "application/json", "x-command-key": key};
  try {
    const answer = await fetch(path, {method, headers, body});
    if (answer.status === 401) location.href = "/sign-in";
    if (!answer.ok) {
      const {detail, hint} = await answer.json();
      tell(`${detail}; ${hint}`);
    }
    return answer.ok;
  } catch {
    tell("The daemon did not answer. Try again.");
    return false;
  }
}

function body(form) {
  if (form.dataset.body) return form.dataset.body;
  const filled = new FormData(form);
  const [result, sub_result] = filled.get("key").split("/");
  const note = filled.get("note").trim();
  const at = document.getElementById("callback").hidden ? "" : filled.get("callback_at");
  const callback = at ? {at, same_agent: filled.has("same_agent")} : undefined;
  return JSON.stringify({result, sub_result, note: note || undefined, attempt: form.dataset.attempt, callback});
}

document.addEventListener("change", ({target}) => {
  if (target.name === "key") document.getElementById("callback").hidden = !("callback" in target.dataset);
});

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (event.target.id === "questions-form") return complete();
  if (await send(event.target.dataset.send, body(event.target))) connect();
});

document.getElementById("leave").addEventListener("click", async () => {
  await saveDraft();
  await send(`PUT /api/v1/agents/${agent}`, JSON.stringify({state: "signed_out"}));
  if (!await send("POST /sign-out", "{}")) return;
  sessionStorage.clear();
  location.href = "/sign-in";
});
