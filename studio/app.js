import { Refused, call, get, open_url, post } from "./api.js";
import { play_live } from "./film.js";
import { Line } from "./line.js";
import { Marks } from "./marks.js";
import { kinds } from "./share.js";
import { hear } from "./sound.js";
import { texts } from "./texts.js";

const $ = (id) => document.getElementById(id);
const session = crypto.randomUUID?.() ?? String(Math.random());
const state = { info: null, voices: [], job: null, following: null, actor: null, film_of: null, words: [], kind: "YAML", again_of: null };
const line = new Line($("line"), $("wave"), show_recipe);
line.mood_next = () => $("next-mood").value;
const marks = new Marks($("marks"), $("photo"), show_recipe);

function element(tag, more = {}, ...inside) {
  const e = Object.assign(document.createElement(tag), more);
  e.append(...inside);
  return e;
}

function show_error(error) {
  $("error").hidden = !error;
  $("error").textContent = error ? error.message : "";
}

const offline = (error) => error instanceof TypeError;

/* ---- what is wanted ---- */

const chosen = (name) => document.querySelector(`input[name=${name}]:checked`)?.value ?? "";

function voice_id() {
  const a = chosen("voice"), b = $("blend").value, share = Number($("share").value) / 100;
  return b && b !== a ? `${a}:${(1 - share).toFixed(2)},${b}:${share.toFixed(2)}` : a;
}

function recipe() {
  const r = { seed: Number($("seed").value) || 0, audio_track: { script: $("script").value, voice_id: voice_id() }, visual_track: {} };
  if (Number($("speed").value) !== 1) r.audio_track.speed = Number($("speed").value);
  if (chosen("mood")) r.audio_track.mood = chosen("mood");
  if ($("fit").value !== "error") r.audio_track.fit = $("fit").value;
  if (marks.file) r.visual_track.image = "upload";
  else if (state.actor) r.visual_track.image = `slot:${state.actor}`;
  else r.visual_track.prompt = $("prompt").value;
  if (marks.face) r.visual_track.face = marks.face;
  if (line.moods.length > 0) r.visual_track.moods = line.moods;
  r.output = { fps: Number($("fps").value) || 24, subtitles: $("subtitles").value };
  if (!$("verify").checked || !r.visual_track.prompt) r.verify = { enabled: false };
  return r;
}

function show_recipe() {
  $("recipe").textContent = kinds[state.kind](recipe(), new URL(".", location.href).href.split("#")[0]);
}

/* ---- live: the actor and the text ---- */

function later(ms, act) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(act, ms);
  };
}

let drawing = null;
async function draw_actor() {
  const prompt = $("prompt").value.trim();
  drawing?.abort();
  if (!prompt || marks.file || state.actor || !state.info?.features.picture) return;
  const mine = drawing = new AbortController();
  try {
    const response = await call("POST", "api/v1/pictures", { prompt, seed: Number($("seed").value) || 0, session }, mine.signal);
    const picture = await response.blob();
    if (mine !== drawing) return;
    $("expanded").textContent = texts.expanded(decodeURIComponent(response.headers.get("vortex-expanded") ?? prompt));
    show_actor(URL.createObjectURL(picture), prompt);
    show_error(null);
  } catch (error) {
    if (mine === drawing && error.name !== "AbortError" && error.code !== "cancelled") offline(error) ? look_up() : show_error(error);
  }
}
const draw_soon = later(300, draw_actor);

function show_actor(url, name) {
  if (state.following) return;
  if ($("actor").src.startsWith("blob:")) URL.revokeObjectURL($("actor").src);
  $("actor").src = url;
  $("actor").alt = name;
  $("actor").hidden = false;
  $("blank").hidden = $("film").hidden = true;
  $("film").pause();
  $("badge").textContent = texts.live;
  $("badge").hidden = false;
}

function count(seconds) {
  const most = state.info?.limits.script_chars ?? 4096;
  $("count").textContent = texts.count([...$("script").value].length, most) + (seconds ? texts.seconds(seconds) : "");
}

const check_soon = later(600, async () => {
  if (!$("script").value.trim()) return;
  try {
    const r = recipe();
    delete r.visual_track.moods;
    delete r.visual_track.face;
    r.visual_track = { prompt: $("prompt").value || "a man" };
    const { speech_s } = await post("api/v1/recipes/check", { recipe: r });
    count(speech_s);
    if (speech_s && line.peaks.length === 0) line.set_seconds(speech_s);
    show_error(null);
  } catch (error) {
    if (error instanceof Refused && error.status === 400) show_error(error);
  }
});

/* ---- words that light up ---- */

function show_words(box, words, go) {
  box.hidden = words.length === 0;
  box.replaceChildren(...words.map((w) => (go ? element("button", { type: "button", textContent: w.text, onclick: () => go(w.start_s) })
    : element("span", { textContent: `${w.text} ` }))));
}

function light(box, words, at) {
  words.forEach((w, i) => box.children[i]?.classList.toggle("now", at >= w.start_s && at < w.end_s));
}

let hearing = null;
async function toggle_hear() {
  if (hearing) return hearing.abort();
  const mine = hearing = new AbortController();
  let words = [];
  $("hear").textContent = texts.stop;
  const request = { script: $("script").value, voice_id: voice_id(), speed: Number($("speed").value) };
  try {
    await hear(request, mine.signal, {
      on_words: (w) => show_words($("words"), words = w),
      on_peaks: (p, s) => { line.peaks = p; line.set_seconds(s); },
      on_time: (s) => light($("words"), words, s),
    });
    show_error(null);
  } catch (error) {
    if (error.name !== "AbortError") show_error(error);
  }
  light($("words"), words, -1);
  hearing = null;
  $("hear").textContent = texts.hear;
}

/* ---- making ---- */

async function make(wanted, file) {
  show_error(null);
  $("make").disabled = true;
  try {
    let body = { recipe: wanted };
    if (file) {
      body = new FormData();
      body.append("recipe", JSON.stringify(wanted));
      body.append("image", file);
    }
    const job = await post("api/v1/slots", body);
    location.hash = `job=${job.id}`;
  } catch (error) {
    offline(error) ? look_up() : show_error(error);
  }
  $("make").disabled = Boolean(state.following);
}

function show_stages(job) {
  $("stages").replaceChildren(...(job.stages ?? []).map((s) => element("div", {}, element("span", { textContent: s.name }),
    element("progress", { max: 1, value: s.progress ?? 1, ariaLabel: s.name }),
    element("span", { textContent: s.end_s != null ? `${(s.end_s - s.start_s).toFixed(1)} s` : `${Math.round((s.progress ?? 0) * 100)} %` }))));
}

const ended = (job) => ["completed", "failed", "cancelled"].includes(job.status);

async function follow(id) {
  state.following?.abort();
  const mine = state.following = new AbortController();
  state.film_of = null;
  $("result").hidden = $("said").hidden = true;
  $("make").disabled = true;
  $("cancel").hidden = false;
  let live = null;
  try {
    for (;;) {
      const job = await get(`api/v1/slots/${id}`);
      if (mine !== state.following) return;
      show_stages(job);
      if (ended(job)) {
        await live;
        if (mine === state.following) await show_end(job);
        break;
      }
      $("status").textContent = job.status === "queued" ? texts.waiting(job.queue?.position ?? 1) : texts.working(job.stage ?? "…");
      if (!live && job.live?.mime) live = watch(id, job.live, mine);
      await news(id, mine.signal);
    }
  } catch (error) {
    if (mine === state.following && error.name !== "AbortError") offline(error) ? look_up() : show_error(error);
  }
  if (mine !== state.following) return;
  state.following = null;
  $("make").disabled = false;
  $("cancel").hidden = true;
  gallery();
}

async function watch(id, live, mine) {
  try {
    $("actor").hidden = $("blank").hidden = true;
    $("badge").textContent = texts.playing;
    $("badge").hidden = false;
    if (await play_live($("film"), live, mine.signal)) state.film_of = id;
  } catch (error) {
    if (mine === state.following && error.name !== "AbortError") $("status").textContent = texts.cut;
  }
}

// Until the job has something to tell; a second at most, where the stream of events fails.
async function news(id, signal) {
  const events = new EventSource(await open_url(id, `api/v1/slots/${id}/events`));
  await new Promise((done) => {
    const timer = setTimeout(done, 1000);
    for (const name of ["state", "result"]) events.addEventListener(name, done);
    signal.addEventListener("abort", done, { once: true });
    events.addEventListener("stage", () => { clearTimeout(timer); setTimeout(done, 200); });
  });
  events.close();
}

async function show_end(job) {
  state.job = job;
  $("status").textContent = texts.ended[job.status];
  $("badge").hidden = true;
  if (job.error) show_error(job.error);
  if (!job.links.film) return;
  const film = $("film");
  film.replaceChildren();
  if (job.links.vtt) {
    film.append(element("track", { kind: "captions", label: "English", srclang: "en", src: await open_url(job.id, job.links.vtt) }));
  }
  // A film that plays goes on; one that stands is exchanged for the kept one, where it stands.
  if (state.film_of !== job.id || film.paused) {
    const at = state.film_of === job.id && !film.ended ? film.currentTime : 0;
    film.src = await open_url(job.id, job.links.film);
    film.currentTime = at;
  }
  $("actor").hidden = $("blank").hidden = true;
  film.hidden = false;
  await show_result(job);
}

async function show_result(job) {
  const hash = job.report?.output?.sha256, before = state.again_of;
  $("facts").textContent = texts.facts(job) + (before ? `\n${before === hash ? texts.same : texts.differs}` : "");
  state.again_of = null;
  const names = { film: "MP4", audio: "WAV", vtt: "VTT", srt: "SRT", actor: "PNG", motion: "CSV", report: "JSON" };
  const links = [];
  for (const [key, name] of Object.entries(names)) {
    if (!job.links[key]) continue;
    const file = job.links[key].split("/").pop();
    links.push(element("a", { textContent: name, download: file, href: await open_url(job.id, `${job.links[key]}?download=${file}`) }));
  }
  $("downloads").replaceChildren(...links);
  $("sheet").hidden = !job.links.sheet;
  if (job.links.sheet) $("sheet").src = await open_url(job.id, job.links.sheet);
  $("result").hidden = false;
  state.words = job.links.timings ? (await get(job.links.timings)).words : [];
  show_words($("said"), state.words, (s) => { $("film").currentTime = s; });
}

/* ---- kept films ---- */

async function gallery() {
  const { data } = await get("api/v1/slots?limit=24&status=completed");
  $("no-films").hidden = data.length > 0;
  $("films").replaceChildren(...await Promise.all(data.map(async (job) => {
    const name = job.recipe?.visual_track?.prompt ?? job.recipe?.audio_track?.script ?? job.id;
    const picture = job.links.actor ? element("img", { src: await open_url(job.id, job.links.actor), alt: "", loading: "lazy" })
      : element("span", { className: "none", textContent: "▶" });
    const open = element("button", { type: "button", className: "open", ariaLabel: texts.open(name), onclick: () => { location.hash = `job=${job.id}`; } },
      picture, element("span", { className: "name", textContent: name }));
    const drop = element("button", { type: "button", className: "drop", textContent: texts.drop, ariaLabel: `${texts.drop}: ${name}`,
      onclick: () => call("DELETE", `api/v1/slots/${job.id}`).then(gallery, show_error) });
    return element("li", {}, open, drop);
  })));
}

/* ---- the bar ---- */

async function look_up() {
  try {
    const ready = await fetch("readyz");
    if (!ready.ok) throw new Refused({ message: texts.loading }, 503);
    if (!state.info) await begin();
    const m = await get("api/v1/memory");
    $("memory").hidden = false;
    const gauge = document.querySelector(".gauge"), share = (b) => `${Math.min(100, b / m.hard_bytes * 100)}%`;
    gauge.children[0].style.width = share(m.planned_bytes);
    gauge.children[1].style.width = share(m.used_bytes);
    gauge.ariaValueMax = m.hard_bytes;
    gauge.ariaValueNow = m.planned_bytes;
    gauge.ariaValueText = $("memory-text").textContent = texts.memory(m);
    $("banner").hidden = true;
  } catch (error) {
    $("banner").hidden = false;
    $("banner").textContent = offline(error) ? texts.offline : error.message;
  }
}

function choices(box, name, list, first) {
  box.replaceChildren(...list.map(([value, label, note]) => {
    const input = element("input", { type: "radio", name, value, checked: value === first });
    const face = element("span", { textContent: label });
    if (note) face.append(element("small", { textContent: ` ${note}` }));
    return element("label", {}, input, face);
  }));
}

async function begin() {
  const info = await get("api/v1/info"), { voices } = await get("api/v1/voices");
  state.info = info;
  $("about").textContent = texts.about(info);
  const first = voices.some((v) => v.name === "scientist") ? "scientist" : voices[0]?.name;
  choices($("voices"), "voice", voices.map((v) => [v.name, v.name, { us: "US", gb: "UK" }[v.accent] ?? ""]), first);
  $("blend").append(...voices.filter((v) => !v.of).map((v) => element("option", { value: v.name, textContent: v.name })));
  choices($("moods"), "mood", [["", "as the prompt says"], ...info.moods.map((m) => [m, m])], "");
  $("next-mood").append(...info.moods.map((m) => element("option", { value: m, textContent: m })));
  const film = info.sizes.film ?? { fps: 24, fps_max: 24 };
  const rates = [...new Set([12, 24, 25, 30, 50, 60, film.fps])].filter((f) => f <= film.fps_max).sort((a, b) => a - b);
  $("fps").append(...rates.map((f) => element("option", { value: f, textContent: f, selected: f === film.fps })));
  $("verify").checked = info.features.verify;
  $("verify").disabled = !info.features.verify;
  count();
  check_soon();
  await gallery();
  if (!open_hash()) draw_actor();
  show_recipe();
}

function open_hash() {
  const id = /^#job=(slot_[0-9A-Za-z]+)$/.exec(location.hash)?.[1];
  if (id) follow(id);
  return Boolean(id);
}

/* ---- wiring ---- */

$("form").addEventListener("input", (event) => {
  const id = event.target.id;
  $("share-out").textContent = `${$("share").value} %`;
  $("share").disabled = !$("blend").value;
  $("speed-out").textContent = `${Number($("speed").value).toFixed(2)}×`;
  if (id === "prompt") state.actor = null;
  if (id === "prompt" || id === "seed") draw_soon();
  if (id === "script" || id === "speed") {
    line.peaks = [];
    count();
    check_soon();
  }
  show_recipe();
});
$("form").addEventListener("submit", (event) => {
  event.preventDefault();
  make(recipe(), marks.file);
});
$("dice").addEventListener("click", () => {
  $("seed").value = Math.floor(Math.random() * 1e6);
  draw_actor();
  show_recipe();
});
$("hear").addEventListener("click", toggle_hear);
$("add-mood").addEventListener("click", () => line.add(line.clip(line.length / 2), $("next-mood").value));
function take_portrait(file) {
  if (!file) return;
  drawing?.abort();
  show_actor(marks.open(file), file.name);
  $("badge").hidden = true;
  show_recipe();
}
$("portrait").addEventListener("change", () => take_portrait($("portrait").files[0]));
$("by-hand").addEventListener("change", () => marks.by_hand($("by-hand").checked));
$("no-portrait").addEventListener("click", () => {
  marks.close();
  $("by-hand").checked = false;
  draw_actor();
  show_recipe();
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  take_portrait([...event.dataTransfer.files].find((f) => f.type.startsWith("image/")));
});
$("cancel").addEventListener("click", () => post(`api/v1/slots/${location.hash.slice(5)}/cancel`, {}).catch(show_error));
$("again").addEventListener("click", () => {
  state.again_of = state.job.report?.output?.sha256 ?? null;
  make({ ...state.job.recipe }, marks.file);
});
$("use-actor").addEventListener("click", () => {
  state.actor = state.job.id;
  marks.close();
  show_recipe();
  $("script").focus();
});
$("copy").addEventListener("click", async () => {
  await navigator.clipboard.writeText($("recipe").textContent);
  $("copy").textContent = texts.copied;
  setTimeout(() => { $("copy").textContent = texts.copy; }, 1500);
});
$("kinds").append(...Object.keys(kinds).map((kind) => element("button", { type: "button", textContent: kind,
  onclick: () => { state.kind = kind; show_recipe(); } })));
(function every_frame() {
  if (state.words.length > 0 && !$("film").hidden) light($("said"), state.words, $("film").currentTime);
  requestAnimationFrame(every_frame);
})();
window.addEventListener("hashchange", open_hash);
const bar = new EventSource("api/v1/events");
bar.addEventListener("queue", (event) => { $("queue").textContent = texts.queue(JSON.parse(event.data)); });
look_up();
setInterval(look_up, 5000);
