// The goals, and how the medians of all rounds stand to them. A figure of ours is always a ratio to a competitor's in
// the same round, or an absolute where the goal is one.

export const median = (list) => {
  const sorted = [...list].filter((one) => Number.isFinite(one)).sort((a, b) => a - b);
  if (sorted.length === 0) return NaN;
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const seconds = (value) => (value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`);
const milliseconds = (value) => `${value.toFixed(1)} ms`;
const megabytes = (value) => `${(value / 1e6).toFixed(2)} MB`;

const ratio = (what, part, ours, theirs, goal, show = seconds) => ({
  what, part, goal: `≤ ${goal} ×`, ours, theirs, show,
  value: (round) => round[ours] / round[theirs], passes: (value) => value <= goal, print: (value) => `${value.toFixed(2)} ×`,
});
const absolute = (what, part, ours, goal, passes, print) => ({ what, part, goal, ours, show: print, value: (round) => round[ours], passes, print });

/** Part: which case of `run.mjs` it comes from. */
export const goals = [
  ratio('D1 first copy', 'small', 'product_first', 'rsync_first', 0.75),
  ratio('D2 first copy, mutual TLS against plain rsync', 'large', 'product', 'rsync', 1.3),
  ratio('D2 first copy, the engine without TLS', 'large', 'engine', 'rsync', 0.9),
  absolute('D2 over the WAN, of the line', 'large WAN', 'share', '≥ 93 %', (value) => value >= 0.93, (value) => `${(value * 100).toFixed(1)} %`),
  ratio('D1 nothing changed', 'small', 'engine_idle', 'rsync_idle', 0.25),
  ratio('D1 nothing changed, WAN', 'small WAN', 'engine_idle', 'rsync_idle', 0.1),
  absolute('D1 nothing changed, on the wire', 'small WAN', 'engine_idle_wire', '≤ 2 kB', (value) => value <= 2048, (value) => `${value} B`),
  ratio('D1 1 % changed', 'small', 'product_percent', 'rsync_percent', 0.35),
  ratio('D1 1 % changed, WAN', 'small WAN', 'product_percent', 'rsync_percent', 0.2),
  ratio('D3 1 % of the pages, against rsync', 'pages', 'product', 'rsync', 0.25),
  ratio('D3 1 % of the pages, against rsync --inplace', 'pages', 'product', 'inplace', 0.4),
  ratio('D3 on the wire, against the changed pages', 'pages', 'product_wire', 'changed', 1.05, megabytes),
  ratio('write → visible, p50, against lsyncd delay=0', 'live', 'product_p50', 'lsyncd_p50', 0.25, milliseconds),
  ratio('write → visible, p99', 'live', 'product_p99', 'lsyncd_p99', 0.25, milliseconds),
  absolute('write → visible over the WAN, p50', 'live WAN', 'product_p50', '≤ 35 ms', (value) => value <= 35, milliseconds),
  ratio('burst of tmp + rename', 'live', 'product_burst', 'lsyncd_burst', 0.1),
  ratio('processor time per event', 'live', 'product_cpu', 'lsyncd_cpu', 0.1, milliseconds),
  absolute('memory, the larger side', 'small', 'product_memory', '≤ 64 MB', (value) => value <= 64, (value) => `${value.toFixed(0)} MB`),
  absolute('stale after two writes of one size within a second', 'live', 'product_stale', '0 of 10', (value) => value === 0, (value) => `${value} of 10`),
];

/** Markdown, and how many goals were met. `rounds`: for each part, the figures of each round. */
export function table(rounds) {
  const lines = ['| work | ours | theirs | ratio | goal | |', '|---|---|---|---|---|---|'];
  let met = 0;
  let judged = 0;
  for (const goal of goals) {
    const all = rounds[goal.part] ?? [];
    const value = median(all.map(goal.value));
    if (!Number.isFinite(value)) continue;
    judged += 1;
    const passes = goal.passes(value);
    met += passes ? 1 : 0;
    const cell = (key) => (key ? goal.show(median(all.map((round) => round[key]))) : '');
    lines.push(`| ${goal.what} | ${cell(goal.ours)} | ${cell(goal.theirs)} | ${goal.theirs ? goal.print(value) : ''} | ${goal.goal} | ${passes ? 'met' : '**missed**'} |`);
  }
  return { text: lines.join('\n'), met, judged };
}

/** What grows with the tree: one column for each number of files. */
export function scaleTable(columns) {
  const counts = Object.keys(columns).map(Number).sort((a, b) => a - b);
  const row = (what, key, show) => `| ${what} | ${counts.map((count) => (Number.isFinite(columns[count][key]) ? show(columns[count][key]) : '–')).join(' | ')} |`;
  return [
    `| files | ${counts.map((count) => count.toLocaleString('en')).join(' | ')} |`,
    `|---|${counts.map(() => '---|').join('')}`,
    row('first copy', 'first', seconds),
    row('one file changed → visible', 'one', seconds),
    row('nothing changed while stopped', 'nothing', seconds),
    row('1 % changed while stopped', 'percent', seconds),
    row('memory, the larger side', 'memory', (value) => `${value.toFixed(0)} MB`),
  ].join('\n');
}
