// The product beside rsync and lsyncd: interleaved, on fresh file systems in memory, over loopback and over a line of
// 20 ms and 100 Mbit/s. Needs root (mounts, namespaces) and some minutes a round.
//
//   node end2end/bench/run.mjs [--rounds N] [--smoke] [--only PART,PART] [--scale] [--readme]
//
//   --smoke    one round of everything at a hundredth of the size: does it still run? No figure counts.
//   --only     small, large, pages, live, and each with " WAN"
//   --scale    instead: what one change costs in trees of 10,000, 100,000 and 1,000,000 files
//   --readme   puts the table into the README
//
//   TVOX_DR_BIN, TVOX_DR_COPY    a release binary and the engine's example `copy`
//   TVOX_DR_OUTPUT               where bench.md and bench.json go (default: end2end/output)
import fs from 'node:fs';
import path from 'node:path';
import { large, live, pages, scale, small } from './lib/cases.mjs';
import { loopback, machine, tidy, wan, workshop } from './lib/place.mjs';
import { scaleTable, table } from './lib/table.mjs';

const here = import.meta.dirname;
const args = process.argv.slice(2);
const option = (name, otherwise) => (args.includes(name) ? args[args.indexOf(name) + 1] : otherwise);
const smoke = args.includes('--smoke');
const rounds = smoke ? 1 : Number(option('--rounds', 5));
const only = option('--only', null)?.split(',');
const output = process.env.TVOX_DR_OUTPUT ?? path.join(here, '../output/bench');

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
process.on('exit', tidy);
if (process.getuid() !== 0) {
  console.error('the benchmark mounts file systems and makes network namespaces: it needs root');
  process.exit(2);
}

const size = smoke
  ? { small: 400, large: 4, huge: 8, live: 200, events: 5, burst: 50 }
  : { small: 20_000, large: 400, huge: 1024, live: 1000, events: 100, burst: 2000 };
const bench = { root: workshop(), size, round: 0, turns: 0 };
const line = await wan(bench.root);

const parts = {
  small: () => small(bench, loopback),
  'small WAN': () => small(bench, line),
  large: () => large(bench, loopback, { engine: true }),
  'large WAN': () => large(bench, line),
  pages: () => pages(bench, loopback),
  live: () => live(bench, loopback),
  'live WAN': () => live(bench, line, { rivals: false }),
};

fs.mkdirSync(output, { recursive: true });
let text;
let figures;
let failed = 0;
if (args.includes('--scale')) {
  figures = {};
  for (const count of smoke ? [300] : [10_000, 100_000, 1_000_000]) {
    figures[count] = await scale(bench, loopback, count);
    console.log(count, JSON.stringify(figures[count]));
  }
  text = scaleTable(figures);
} else {
  figures = Object.fromEntries(Object.keys(parts).map((part) => [part, []]));
  for (bench.round = 1; bench.round <= rounds; bench.round += 1) {
    for (const [part, measure] of Object.entries(parts)) {
      if (only && !only.includes(part)) continue;
      try {
        const found = await measure();
        figures[part].push(found);
        console.log(`round ${bench.round}, ${part}: ${JSON.stringify(found, (_, value) => (typeof value === 'number' ? Number(value.toPrecision(4)) : value))}`);
      } catch (error) {
        failed += 1;
        console.log(`round ${bench.round}, ${part}: FAILED: ${error.stack}`);
      }
    }
  }
  const judged = table(figures);
  text = `${judged.text}\n\n${judged.met} of ${judged.judged} goals met; medians of ${rounds} round${rounds === 1 ? '' : 's'}.`;
}
text += `\n\n${machine()}, ${new Date().toISOString().slice(0, 10)}.\n`;
console.log(`\n${text}`);
const name = args.includes('--scale') ? 'scale' : 'bench';
fs.writeFileSync(path.join(output, `${name}.md`), text);
fs.writeFileSync(path.join(output, `${name}.json`), JSON.stringify(figures, null, 1));
if (args.includes('--readme') && !smoke) {
  const readme = path.join(here, '../../README.md');
  const old = fs.readFileSync(readme, 'utf8');
  const [from, to] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  if (!old.includes(from)) throw new Error(`the README has no place for it: ${from}`);
  fs.writeFileSync(readme, `${old.slice(0, old.indexOf(from) + from.length)}\n${text}${old.slice(old.indexOf(to))}`);
}
if (smoke) console.log(failed ? `not ok - ${failed} parts of the benchmark do not run` : 'ok - every part of the benchmark runs');
process.exit(failed ? 1 : 0);
