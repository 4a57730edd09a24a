
// The questionnaire. Its way adapts here; what is answered is saved as a draft as it is given, and stays in the tab's
// own storage until the daemon has it: so a lost connection or a reload loses nothing.
const SAVE_AFTER = 600, AGAIN_AFTER = 2000;
let quest = null;

const kept = (attempt) => `answers ${attempt}`;
// Answers in one order, so that the same ones are the same text.
const canonical = (answers) => JSON.stringify(Object.keys(answers).sort().map((id) => [id, answers[id]]));

function questionElements() {
  return [...quest.form.querySelectorAll(".question")];
}

// The answer to a question: undefined for none, null for what is no answer.
function given(element) {
  const {kind} = element.dataset;
  if (kind === "multiple") {
    const chosen = [...element.querySelectorAll("input:checked")].map((input) => input.value);
    return chosen.length ? chosen : undefined;
  }
  if (kind === "text") return element.querySelector("textarea").value.trim() || undefined;
  const radio = element.querySelector("input[type=radio]");
  const input = radio ? element.querySelector("input:checked") : element.querySelector("input");
  if (input && !input.validity.valid) return null;
  if (!input || input.value === "") return undefined;
  return kind === "single" ? input.value : Number(input.value);
}

function readAnswers() {
  const answers = {}, bad = [];
  for (const element of questionElements()) {
    const answer = given(element);
    if (answer === null) bad.push(element);
    else if (answer !== undefined) answers[element.dataset.id] = answer;
  }
  return {answers, bad: bad.filter((element) => !element.hidden)};
}

function fill(answers) {
  for (const element of questionElements()) {
    const answer = answers[element.dataset.id];
    const chosen = [].concat(answer === undefined || answer === null ? "" : answer).map(String);
    for (const input of element.querySelectorAll("input, textarea")) {
      if (input.type === "radio" || input.type === "checkbox") input.checked = answer !== undefined && chosen.includes(input.value);
      else input.value = chosen[0];
    }
  }
}

// Shows the questions on the way that the answers lead along, as the daemon finds it too.
function adapt(answers) {
  const all = questionElements(), way = new Set();
  let at = 0;
  while (at >= 0 && at < all.length && !way.has(all[at])) {
    const {id, required, goto} = all[at].dataset;
    way.add(all[at]);
    const jump = JSON.parse(goto), answer = answers[id];
    let next = at + 1;
    const place = (target) => (target === "end" ? -1 : all.findIndex((element) => element.dataset.id === target));
    if (typeof jump === "string") next = place(jump);
    else if (jump && answer === undefined && required) next = -1;
    else if (jump && Object.hasOwn(jump, String(answer))) next = place(jump[String(answer)]);
    at = next;
  }
  for (const element of all) element.hidden = !way.has(element);
  return [...way].filter((element) => element.dataset.required && answers[element.dataset.id] === undefined);
}

const label = (element) => element.querySelector("legend, label").firstChild.textContent.trim();

function say(text, tone) {
  const place = document.getElementById("questions-saved");
  if (!quest || !place) return;
  // What is saved as it is typed is not read out each time.
  place.setAttribute("aria-live", tone === "bad" || quest.complete ? "polite" : "off");
  if (place.textContent !== text) place.textContent = text;
  place.className = tone || "";
}

function keep() {
  const {base, unheard} = quest;
  sessionStorage.setItem(kept(quest.attempt), JSON.stringify({base, unheard, answers: readAnswers().answers}));
}

// Something was answered.
function answered() {
  const {answers, bad} = readAnswers();
  adapt(answers);
  quest.dirty = true;
  keep();
  if (quest.torn) return;
  if (quest.complete) return say(CHANGED, "bad");
  say(bad.length ? wrong(bad) : "not saved yet…", bad.length ? "bad" : "");
  clearTimeout(quest.timer);
  quest.timer = setTimeout(saveDraft, SAVE_AFTER);
}

function wrong(bad) {
  const bounds = (element) => element.querySelector("input");
  return `not saved: ${bad.map((element) => `“${label(element)}” takes a whole number from ${bounds(element).min} to ${bounds(element).max}`).join("; ")}`;
}

async function call(method, path, body) {
  const headers = {"content-type": "application/json", "x-command-key": key};
  const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body), keepalive: method === "PUT" && JSON.stringify(body).length < 50000});
  if (answer.status === 401 || answer.status === 403) throw new Error("signed out");
  return {ok: answer.ok, status: answer.status, value: await answer.json()};
}

const currentOf = (one) => call("GET", `${one.path}?attempt=${one.attempt}`);

async function saveDraft() {
  const one = quest;
  if (!one || !one.dirty || one.busy || one.torn || one.complete || !one.loaded) return;
  const {answers, bad} = readAnswers();
  const text = canonical(answers);
  one.busy = true;
  one.unheard.push(text);
  keep();
  let again = 0;
  try {
    const {ok, status, value} = await call("PUT", one.path, {attempt: one.attempt, base: one.base, answers});
    if (ok) {
      heard(one, value);
      if (quest === one && canonical(readAnswers().answers) !== text) again = 1;
      else if (quest === one) {
        one.dirty = false;
        sessionStorage.removeItem(kept(one.attempt));
        say(bad.length ? wrong(bad) : `saved ${new Date().toLocaleTimeString()}`, bad.length ? "bad" : "good");
      }
    } else if (status === 409) again = (await settle(one, value.detail)) ? 1 : 0;
    else say(`not saved: ${value.detail}`, "bad");
  } catch (error) {
    if (error.message === "signed out") say("not saved: you are signed out. What you have written is kept in this tab.", "bad");
    else {
      say("not saved: the daemon does not answer. What you have written is kept, and sent again.", "bad");
      again = AGAIN_AFTER;
    }
  }
  one.busy = false;
  if (one.submit && quest === one) complete();
  else if (again) setTimeout(saveDraft, again);
}

function heard(one, value) {
  one.base = value.sequence;
  one.complete = value.state === "complete";
  one.unheard = [];
}

const CHANGED = "Changed and not saved: press the button to correct what is stored.";

// A save was refused. If what is stored is what this page has sent and not heard of, it goes on from there.
async function settle(one, error) {
  const {ok, value} = await currentOf(one);
  if (quest !== one) return false;
  if (!ok || value.sequence === one.base) {
    say(`not saved: ${ok ? error : value.detail}`, "bad");
    return false;
  }
  return take(one, value);
}

// Builds on what is stored, or lets the agent choose; whether a draft may be saved upon it.
function take(one, value) {
  const stored = canonical(value.answers), mine = canonical(readAnswers().answers);
  if (stored !== mine && !one.unheard.includes(stored)) {
    one.torn = value;
    document.getElementById("questions-choice").hidden = false;
    say(`not saved: ${value.changedBy} has changed the answers elsewhere. Which ones shall stay?`, "bad");
    return false;
  }
  heard(one, value);
  if (one.complete && stored !== mine) say(CHANGED, "bad");
  else if (one.complete) told(one, value);
  return !one.complete;
}

function told(one, value) {
  document.getElementById("complete").textContent = one.complete ? "Save the correction" : "Complete the questionnaire";
  if (one.complete) say(`complete since ${new Date(value.completedAt).toLocaleTimeString()}`, "good");
  else if (value.sequence) say(`saved ${new Date(value.changedAt).toLocaleTimeString()}`, "good");
}

// Takes over what is stored, and what this tab has that was not.
async function load() {
  const one = quest;
  if (!one || one.busy) return;
  if (one.loaded && one.dirty) return saveDraft();
  const own = JSON.parse(sessionStorage.getItem(kept(one.attempt)) || "null");
  try {
    const {ok, value} = await currentOf(one);
    if (quest !== one) return;
    if (!ok) return say(`not loaded: ${value.detail}`, "bad");
    // Typed while it was being asked for.
    if (one.loaded && one.dirty) return saveDraft();
    const first = !one.loaded;
    one.loaded = true;
    const stored = canonical(value.answers);
    if (own && canonical(own.answers) !== stored) {
      Object.assign(one, {base: own.base, unheard: own.unheard, dirty: true});
      if (value.sequence !== own.base) return take(one, value) && saveDraft();
      heard(one, value);
      if (!one.complete) return saveDraft();
      told(one, value);
      return say(CHANGED, "bad");
    }
    if (own) sessionStorage.removeItem(kept(one.attempt));
    if (first || one.base !== value.sequence) fill(value.answers);
    one.dirty = false;
    heard(one, value);
    adapt(readAnswers().answers);
    told(one, value);
  } catch {
    say("The connection is lost. What you write is kept, and sent once it is back.", "bad");
    setTimeout(load, AGAIN_AFTER);
  }
}

// A questionnaire stands in the page.
function beginQuestions() {
  const form = document.getElementById("questions-form");
  if (quest && form === quest.form) return;
  quest = null;
  if (form) {
    const {attempt, path} = form.dataset;
    quest = {form, attempt, path, base: 0, unheard: [], dirty: false, complete: false, torn: null, loaded: false};
    const own = JSON.parse(sessionStorage.getItem(kept(attempt)) || "null");
    if (own) fill(own.answers);
    adapt(readAnswers().answers);
    load();
  }
  sendOthers();
}

// What was written in calls before, and has not come through.
async function sendOthers() {
  const path = `/api/v1/agents/${agent}/questionnaire`;
  for (const name of Object.keys(sessionStorage).filter((name) => name.startsWith("answers "))) {
    const attempt = name.slice("answers ".length), {base, unheard, answers} = JSON.parse(sessionStorage.getItem(name));
    if (quest && quest.attempt === attempt) continue;
    try {
      const current = await currentOf({path, attempt});
      const builds = current.ok && (current.value.sequence === base || unheard.includes(canonical(current.value.answers)));
      const sent = builds ? await call("PUT", path, {attempt, base: current.value.sequence, answers}) : current;
      sessionStorage.removeItem(name);
      if (!sent.ok || !builds) tell(`Answers of an earlier call could not be saved: ${sent.ok ? "they were changed elsewhere" : sent.value.detail}`);
    } catch {
      return;
    }
  }
}

async function complete() {
  const one = quest;
  if (!one.loaded || one.torn) return;
  one.submit = one.busy;
  if (one.busy) return;
  const {answers, bad} = readAnswers();
  const missing = adapt(answers);
  const first = bad[0] || missing[0];
  if (first) {
    say(bad.length ? wrong(bad) : `not complete, an answer is required: ${missing.map((element) => `“${label(element)}”`).join(", ")}`, "bad");
    return first.querySelector("input, textarea").focus();
  }
  clearTimeout(one.timer);
  one.busy = true;
  one.unheard.push(canonical(answers));
  keep();
  try {
    const {ok, status, value} = await call("POST", `${one.path}/complete`, {attempt: one.attempt, base: one.base, answers});
    if (quest !== one) return;
    if (ok) {
      heard(one, value);
      one.dirty = canonical(readAnswers().answers) !== canonical(answers);
      if (!one.dirty) sessionStorage.removeItem(kept(one.attempt));
      told(one, value);
    } else if (status === 409) {
      one.submit = await settle(one, value.detail);
    } else say(`not complete: ${value.detail}`, "bad");
  } catch {
    say("not complete: the daemon does not answer. What you have written is kept; press the button again.", "bad");
  }
  one.busy = false;
  if (one.submit && quest === one) complete();
}

// Which answers stay, where two pages have changed them.
function decide(mine) {
  const one = quest, value = one.torn;
  document.getElementById("questions-choice").hidden = true;
  one.torn = null;
  heard(one, value);
  if (!mine) {
    fill(value.answers);
    one.dirty = false;
    sessionStorage.removeItem(kept(one.attempt));
    adapt(readAnswers().answers);
    return told(one, value);
  }
  one.dirty = true;
  told(one, value);
  if (one.complete) say(CHANGED, "bad");
  else saveDraft();
}

document.addEventListener("input", (event) => {
  if (quest && quest.form.contains(event.target)) answered();
});

document.addEventListener("click", (event) => {
  if (event.target.id === "keep-mine") decide(true);
  if (event.target.id === "take-theirs") decide(false);
});

// A tab that is closed or hidden sends what it still has.
addEventListener("pagehide", saveDraft);
document.addEventListener("visibilitychange", () => { if (document.hidden) saveDraft(); });

setInterval(tick, 1000);
beginQuestions();
connect();
