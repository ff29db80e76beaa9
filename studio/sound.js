// Speech alone, heard while it is made, with its words.
import { call } from "./api.js";

const RATE = 24000, BAR_S = 0.05;

// Yields {audio: Float32Array, start_s, words} until the end; the server's lines as they come.
async function* lines(request, signal) {
  const response = await call("POST", "api/v1/speech", { ...request, timings: true }, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    for (const part of parts) yield JSON.parse(part);
  }
}

function samples_of(text) {
  const raw = atob(text), out = new Float32Array(raw.length / 2);
  for (let i = 0; i < out.length; i++) {
    const v = raw.charCodeAt(2 * i) | raw.charCodeAt(2 * i + 1) << 8;
    out[i] = (v > 32767 ? v - 65536 : v) / 32767;
  }
  return out;
}

// Plays; tells of words and of the wave as they come. Ends when all has been heard or `signal` says so.
export async function hear(request, signal, { on_words, on_peaks, on_time }) {
  const context = new AudioContext({ sampleRate: RATE });
  const words = [], peaks = [];
  let begin = -1, until = 0;
  signal.addEventListener("abort", () => context.close(), { once: true });
  for await (const line of lines(request, signal)) {
    if (line.done) break;
    const samples = samples_of(line.audio), bar = RATE * BAR_S;
    if (samples.length === 0) continue;
    for (let i = 0; i < samples.length; i += bar) peaks.push(samples.subarray(i, i + bar).reduce((a, x) => Math.max(a, Math.abs(x)), 0));
    words.push(...line.words);
    on_words(words);
    const buffer = context.createBuffer(1, samples.length, RATE), source = context.createBufferSource();
    buffer.copyToChannel(samples, 0);
    source.buffer = buffer;
    source.connect(context.destination);
    // Speech that comes late moves what follows, not over it.
    if (begin < 0) begin = context.currentTime + 0.05;
    begin = Math.max(begin, context.currentTime - line.start_s);
    source.start(begin + line.start_s);
    until = line.start_s + samples.length / RATE;
    on_peaks(peaks, until);
  }
  while (!signal.aborted && context.currentTime - begin < until) {
    on_time(context.currentTime - begin);
    await new Promise(requestAnimationFrame);
  }
  if (!signal.aborted) await context.close();
}
