// The page: devices and receipts, live. Plain modules, nothing loaded from elsewhere. The token lives in sessionStorage only.
const api = "/api/v1";
const receiptsShown = 50;
const $ = (id) => document.getElementById(id);
const homeZone = "Asia/Ho_Chi_Minh";
const nothing = { devices: new Map(), receipts: [], link: null, loaded: false, lost: false };
const catalogues = {}; // by language, both there before anything is drawn
const state = { language: "vi", token: null, abort: null, ...nothing };

function word(name, values = {}) {
  return (catalogues[state.language][name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

// A board shows what a loudspeaker plays: its own word where there is one.
function wordOf(board, name) {
  const own = name + "_board";
  return word(board && own in catalogues[state.language] ? own : name);
}

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// In the zone of the place, whatever the reader's; the nearest second, or 05:00:00 would be shown as 04:59:59.
function moment(text, device) {
  if (!text) return "–";
  const shape = { dateStyle: "short", timeStyle: "medium", timeZone: device?.zone ?? homeZone };
  return new Intl.DateTimeFormat(state.language === "vi" ? "vi-VN" : "en-GB", shape).format(Math.round(Date.parse(text) / 1000) * 1000);
}

async function refusal(answer) {
  const body = await answer.json().catch(() => ({}));
  return Object.assign(new Error(body.detail ?? answer.statusText), { status: answer.status });
}

async function call(path) {
  const answer = await fetch(api + path, { headers: { Authorization: `Bearer ${state.token}`, "Accept-Language": state.language } });
  if (!answer.ok) throw await refusal(answer);
  return answer.json();
}

function contactLine(device) {
  const since = device.contact === "connected" ? "" : device.off_since ? ` – ${word("off_since")} ${moment(device.off_since, device)}` : "";
  return word(device.contact) + since;
}

function healthLine({ name, state: how, detail }) {
  const known = word("part_" + name);
  const part = known === "part_" + name ? name : known;
  if (name === "clock") return `${part}: ${word("reason_no_time")}`;
  return `${part}: ${word("health_" + how)}${detail ? ` – ${detail}` : ""}`;
}

function deviceItem(device) {
  const parts = device.health?.parts ?? [];
  const item = make("li", parts.some((part) => part.state === "fault") ? `${device.contact} faulty` : device.contact);
  item.append(make("h3", "", device.name), make("p", "soft", `${device.id} · ${word("kind_" + device.kind)}`), make("p", "contact", contactLine(device)));
  const board = device.kind === "board";
  const onAir = `${wordOf(board, "on_air")}: ${device.on_air_title ?? device.on_air}`;
  item.append(make("p", "", device.on_air ? onAir : wordOf(board, "idle")));
  item.append(make("p", "soft", `${word("last_seen")}: ${moment(device.last_seen, device)}`));
  if (device.online && !device.up_to_date) item.append(make("p", "soft", word("not_up_to_date")));
  for (const part of parts)
    if (part.state === "fault" || part.state === "warn") item.append(make("p", "bad", healthLine(part)));
  return item;
}

function drawDevices() {
  const items = [...state.devices.values()].sort((a, b) => a.id.localeCompare(b.id)).map(deviceItem);
  $("devices").replaceChildren(...(items.length || !state.loaded ? items : [make("li", "", word("no_devices"))]));
}

// The same rule as of `loa receipts`: the amplifier or the sign was asked, and every part that was asked agrees.
function proven({ sound, amplifier, sign } = {}) {
  return Boolean(amplifier || sign) && (!sound || sound.frames >= sound.frames_expected) && (!amplifier || amplifier.seen) &&
    (!sign || (sign.read_back && !sign.cut));
}

function evidenceLines(receipt) {
  const evidence = receipt.evidence;
  if (!evidence) return [];
  const lines = [];
  const { sound, amplifier, sign } = evidence;
  if (sound) {
    const whole = sound.frames >= sound.frames_expected;
    lines.push([whole, whole ? word("sound_whole") : word("sound_part", { percent: Math.floor((100 * sound.frames) / Math.max(1, sound.frames_expected)) })]);
  }
  if (amplifier) {
    lines.push([amplifier.seen, word(amplifier.seen ? "amplifier_seen" : "amplifier_unseen")]);
    if (amplifier.faults?.length) lines.push([false, word("faults", { list: amplifier.faults.join(", ") })]);
  }
  if (sign) {
    lines.push([sign.read_back, word(sign.read_back ? "sign_read" : "sign_unread")]);
    if (sign.cut) lines.push([false, word("sign_cut")]);
  }
  return lines;
}

function cell(head, ...children) {
  const node = make("td");
  node.dataset.head = word(head);
  const inner = make("div");
  inner.append(...children);
  node.append(inner);
  return node;
}

function receiptRow(receipt) {
  const row = make("tr");
  const device = state.devices.get(receipt.device);
  const { sound, amplifier, sign } = receipt.evidence ?? {};
  const shown = device?.kind === "board" || Boolean(sign && !sound && !amplifier);
  const reason = receipt.reason === "late" && !receipt.started ? "reason_late_never" : "reason_" + receipt.reason;
  const played = receipt.started ? ` – ${word(proven(receipt.evidence ?? {}) ? "with_evidence" : "without_evidence")}` : "";
  const evidence = evidenceLines(receipt).map(([good, text]) => make("div", good ? "good" : "bad", text));
  const result = [make("div", receipt.started ? "" : "bad", wordOf(shown, reason) + played)];
  if (receipt.detail) {
    const why = make("div", "soft", receipt.meaning?.[state.language] ?? receipt.detail);
    why.title = receipt.detail; // what the device itself wrote
    result.push(why);
  }
  row.append(cell("device", device?.name ?? receipt.device), cell("title", receipt.title ?? receipt.occurrence),
    cell("planned", moment(receipt.planned, device)), cell("started", moment(receipt.started, device)), cell("reason", ...result),
    cell("evidence", ...(evidence.length ? evidence : [word("none")])));
  return row;
}

function drawReceipts() {
  $("receipts").replaceChildren(...state.receipts.map(receiptRow));
  $("no-receipts").hidden = !state.loaded || state.receipts.length > 0;
}

function drawLink() {
  $("link").textContent = state.lost ? word("stream_lost") : state.link ? word("link_" + state.link) : "";
  $("board").classList.toggle("stale", state.lost);
}

function drawAll() {
  document.documentElement.lang = state.language;
  document.title = word("page_title");
  for (const node of document.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  $("enter").hidden = Boolean(state.token);
  $("board").hidden = $("leave").hidden = !state.token;
  drawDevices();
  drawReceipts();
  drawLink();
}

async function loadAll() {
  const status = await call("/status");
  const devices = new Map();
  for (let next = ""; next !== null; ) {
    const page = await call(`/devices?limit=500${next && "&after=" + encodeURIComponent(next)}`);
    for (const device of page.items) devices.set(device.id, device);
    next = page.next;
  }
  const receipts = await call(`/receipts?order=desc&limit=${receiptsShown}`);
  Object.assign(state, { devices, receipts: receipts.items, link: status.link, loaded: true, lost: false });
  drawAll();
}

const onNews = {
  state(device) { state.devices.set(device.id, device); drawDevices(); },
  health({ device, health }) { const known = state.devices.get(device); if (known) { known.health = health; drawDevices(); } },
  receipt(receipt) {
    state.receipts = [receipt, ...state.receipts.filter((other) => other.cursor !== receipt.cursor)].slice(0, receiptsShown);
    drawReceipts();
  },
  link(news) { state.link = news.link; drawLink(); },
};

function take(block) {
  const lines = block.split("\n");
  const kind = lines.find((line) => line.startsWith("event: "))?.slice(7);
  const data = lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
  if (kind && data && onNews[kind]) onNews[kind](JSON.parse(data));
}

async function readStream(signal) {
  const answer = await fetch(api + "/stream", { headers: { Authorization: `Bearer ${state.token}` }, signal });
  if (!answer.ok) throw await refusal(answer);
  await loadAll(); // what came before the stream stood
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += value;
    for (let end; (end = waiting.indexOf("\n\n")) >= 0; waiting = waiting.slice(end + 2)) take(waiting.slice(0, end));
  }
}

async function follow() {
  state.abort?.abort();
  const abort = (state.abort = new AbortController());
  while (!abort.signal.aborted) {
    try {
      await readStream(abort.signal);
    } catch (problem) {
      if (abort.signal.aborted) return;
      if (problem.status === 401) return leave(problem.message);
    }
    state.lost = true;
    drawLink();
    await new Promise((resolve) => setTimeout(resolve, 1000 + Math.random() * 2000));
  }
}

function leave(why = "") {
  state.abort?.abort();
  sessionStorage.removeItem("token");
  Object.assign(state, { token: null, ...nothing });
  drawAll();
  $("enter-problem").textContent = why;
  $("token").focus();
}

// Only the server's own word against the token drops it; what is merely away is asked again.
async function enter(token) {
  state.token = token;
  try {
    await loadAll();
  } catch (problem) {
    if (problem.status === 401) return leave(problem.message || word("wrong_token"));
    state.lost = true;
    drawAll();
  }
  sessionStorage.setItem("token", token);
  $("token").value = $("enter-problem").textContent = "";
  $("devices-title").focus();
  follow();
}

function speak(language) {
  state.language = language;
  localStorage.setItem("language", language);
  $("language").value = language;
  drawAll();
}

$("enter").addEventListener("submit", (event) => { event.preventDefault(); enter($("token").value.trim()); });
$("leave").addEventListener("click", () => leave());
$("language").addEventListener("change", (event) => speak(event.target.value));
for (const language of ["vi", "en"]) catalogues[language] = await (await fetch(`/${language}.json`)).json();
speak(localStorage.getItem("language") === "en" ? "en" : "vi");
const kept = sessionStorage.getItem("token");
if (kept) enter(kept);
else $("token").focus();
