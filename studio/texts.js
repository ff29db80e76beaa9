// Every sentence that the program says; those that stand still are in index.html.
export const texts = {
  about: (i) => `pack ${i.pack.name} ${i.pack.version} · ${i.device} · vortex ${i.version}`,
  memory: (m) => `${size(m.planned_bytes)} planned, ${size(m.used_bytes)} used of ${size(m.hard_bytes)}`,
  queue: (q) => (q.waiting + q.running === 0 ? "" : `${q.running} under way, ${q.waiting} waiting`),
  offline: "The server does not answer. This page tries again by itself; nothing that you wrote is lost.",
  loading: "The models are being loaded; a moment.",
  count: (n, most) => `${n} of ${most} characters`,
  seconds: (s) => ` · about ${s.toFixed(1)} s of speech`,
  expanded: (t) => `Drawn as: ${t}`,
  live: "live", playing: "plays while it is made",
  stop: "Stop", hear: "Hear it", copy: "Copy", copied: "Copied",
  waiting: (p) => `Waiting: ${p} before it.`,
  working: (s) => `At work: ${s}.`,
  ended: {
    completed: "Done.", cancelled: "Cancelled.",
    failed: "This did not work; the message says why.",
  },
  same: "Made again: the same bytes as before.",
  differs: "Made again: the bytes differ, so something else has changed (the pack, the processor, the program).",
  facts: (j) => {
    const v = j.report?.verify, out = [`seed ${j.seed}`];
    if (j.report?.audio) out.push(`${j.report.audio.duration_s.toFixed(1)} s`, `voice ${j.report.audio.voice}`);
    if (v && typeof v.ensemble === "number") out.push(`score ${v.ensemble.toFixed(2)}${v.pass === false ? ", below the threshold" : ""}`);
    for (const s of j.stages ?? []) if (s.end_s != null) out.push(`${s.name} ${(s.end_s - s.start_s).toFixed(1)} s`);
    return out.join(" · ");
  },
  marks: ["Eye at the image's left", "Eye at the image's right", "Mouth"],
  mood_at: (m, s) => `${m} from ${s.toFixed(1)} s`,
  drop: "Delete", open: (t) => `Open: ${t}`,
  cut: "The film broke off while it played; what was made of it is lost.",
};

export function size(bytes) {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
