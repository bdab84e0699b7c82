// Runs the stories: one process each, two at a time, every one with a folder of its
// own for what it leaves behind (screenshots, logs), and nothing running after it.
//
//   node end2end/run.mjs [part of a name]…
//
// A story is an executable module in end2end/stories/. It prints
// one line per thing shown, `ok - sentence` or `not ok - sentence`, and ends with
// status 0; if it prints none, it counts as one by its status. It is given:
//   TVOX_DR_BIN       the binary under test (default: the development binary)
//   TVOX_DR_OUTPUT    its folder, empty at the start
//   TVOX_DR_SAMPLE    the sample PBX data (see sample.sh)
// Its first lines may hold `// timeout: SECONDS` (default 300).
//
// A story that fails is told once more, alone, after the others; if it passes then, it is
// named as flaky: to be looked into. The log of the first time stays beside the second.
//
// Closes with `N passed, N failed`.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const args = process.argv.slice(2);
const wanted = args.filter((a) => !a.startsWith('--'));
const folder = path.join(here, 'stories');
const output = path.join(here, 'output');
const parallel = Number(process.env.TVOX_DR_JOBS ?? 2);

// As env.sh says it, for who runs this file alone.
const cache = path.join(os.homedir(), '.cache/tvox-dr');
process.env.TVOX_DR_BIN ||= path.join(process.env.CARGO_TARGET_DIR ?? path.join(cache, 'target'), 'debug/tvox-dr');
process.env.TVOX_DR_SAMPLE ||= path.join(cache, 'sample');
if (!fs.existsSync(process.env.TVOX_DR_BIN)) {
  console.error(`there is no binary ${process.env.TVOX_DR_BIN}: use \`make e2e\``);
  process.exit(2);
}

const stories = (fs.existsSync(folder) ? fs.readdirSync(folder) : [])
  .filter((f) => f.endsWith('.mjs') && (wanted.length === 0 || wanted.some((w) => f.includes(w))))
  .sort();
if (wanted.length > 0 && stories.length === 0) {
  console.error(`no story in ${folder} is called like ${wanted.join(' or ')}`);
  process.exit(2);
}

if (stories.length === 0) {
  console.log(`no stories in ${path.relative(process.cwd(), folder)}`);
  process.exit(0);
}

const running = new Set();
const killGroup = (pid, signal) => { try { process.kill(-pid, signal); } catch { /* gone */ } };
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    for (const pid of running) killGroup(pid, 'SIGKILL');
    process.exit(130);
  });
}

function run(story) {
  const file = path.join(folder, story);
  const out = path.join(output, path.basename(story, '.mjs'));
  fs.rmSync(out, { recursive: true, force: true });
  fs.mkdirSync(out, { recursive: true });
  const limit = Number(/^\/\/ timeout: (\d+)/m.exec(fs.readFileSync(file, 'utf8').slice(0, 2000))?.[1] ?? 300);
  const started = Date.now();
  return new Promise((resolve) => {
    const log = [];
    let late = false;
    // A process group of its own, so that nodes and browsers end with it.
    const child = spawn(process.execPath, [file], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TVOX_DR_OUTPUT: out },
    });
    running.add(child.pid);
    const timer = setTimeout(() => { late = true; killGroup(child.pid, 'SIGKILL'); }, limit * 1000);
    child.stdout.on('data', (d) => log.push(d));
    child.stderr.on('data', (d) => log.push(d));
    child.on('exit', (status, signal) => {
      clearTimeout(timer);
      killGroup(child.pid, 'SIGKILL');
      running.delete(child.pid);
      // What the killed ones still held in the pipe comes before `close`; a grandchild
      // that left the group must not hold it open for ever.
      let finished = false;
      const finish = () => {
        if (finished) return;
        finished = true;
        const text = Buffer.concat(log).toString();
        fs.writeFileSync(path.join(out, 'log.txt'), text);
        let passed = (text.match(/^ok - /gm) ?? []).length;
        let failed = (text.match(/^not ok - /gm) ?? []).length;
        const skipped = (text.match(/^skipped - /gm) ?? []).length;
        if (passed + failed + skipped === 0 && status === 0) passed = 1;
        if (status !== 0 && failed === 0) failed = 1;
        const seconds = ((Date.now() - started) / 1000).toFixed(1);
        console.log(`${failed ? 'FAIL' : 'pass'} ${story} (${seconds} s): ${passed} passed, ${failed} failed`);
        if (failed) {
          const why = late ? `stopped after ${limit} s` : signal ? `ended by ${signal}` : `status ${status}`;
          console.log(`---- ${story}: ${why}; its folder: ${path.relative(process.cwd(), out)}`);
          console.log(text.split('\n').slice(-120).map((l) => `  ${l}`).join('\n'));
        }
        resolve({ story, passed, failed, skipped });
      };
      const patience = setTimeout(finish, 2000);
      child.on('close', () => { clearTimeout(patience); finish(); });
    });
  });
}

const results = [];
const queue = [...stories];
await Promise.all(Array.from({ length: Math.max(1, Math.min(parallel, queue.length)) }, async () => {
  for (let story = queue.shift(); story; story = queue.shift()) results.push(await run(story));
}));

const flaky = [];
for (const [at, first] of results.entries()) {
  if (!first.failed) continue;
  const folder = path.join(output, path.basename(first.story, '.mjs'));
  fs.rmSync(`${folder}.first`, { recursive: true, force: true });
  fs.renameSync(folder, `${folder}.first`);
  console.log(`once more: ${first.story}`);
  results[at] = await run(first.story);
  if (!results[at].failed) flaky.push(first.story);
}

const totals = { passed: 0, failed: 0, skipped: 0 };
for (const result of results) for (const key of Object.keys(totals)) totals[key] += result[key];
if (flaky.length) console.log(`flaky (failed, then passed): ${flaky.join(', ')}`);
const skipped = totals.skipped ? `, ${totals.skipped} skipped` : '';
console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`);
process.exit(totals.failed ? 1 : 0);
