// What is measured. A case answers figures by name; `run.mjs` calls each once per round and turns the order of the
// competitors round from one round to the next.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { changeFiles, changePages, hugeFile, largeFiles, Numbers, smallFiles } from './data.mjs';
import { Disk, peakMemory, processorTime, sh } from './place.mjs';
import { Engine, Pair, spinUntil } from './product.mjs';
import { Lsyncd, Rsync } from './rivals.mjs';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One competitor's turn: a fresh file system for each side, gone afterwards. */
async function turn(bench, megabytes, body) {
  bench.turns += 1;
  const a = new Disk(bench.root, `a${bench.turns}`, megabytes);
  const b = new Disk(bench.root, `b${bench.turns}`, megabytes * 2 + 64);
  const source = path.join(a.path, 'source');
  fs.mkdirSync(source);
  const side = { a: a.path, b: b.path, source, copy: path.join(b.path, 'copy') };
  const stops = [];
  try {
    await body(side, (one) => { stops.push(one); return one; });
  } finally {
    for (const one of stops.reverse()) one.stop();
    await pause(100);
    a.remove();
    b.remove();
  }
}

/** Gives each competitor its turn, the other way round in every second round. */
async function each(bench, turns) {
  for (const one of bench.round % 2 ? [...turns].reverse() : turns) await one();
}

/**
 * What the product needs to bring a change over that was made while it was stopped. After a large copy it rests, so that
 * what readers may still hold cannot fill the disk: that is over by then.
 */
async function catchUp(pair, change, seen) {
  await pause(11_000);
  await pair.switch('stop');
  const look = change();
  await pause(300);
  const since = process.hrtime.bigint();
  spawn(process.env.TVOX_DR_BIN, ['sync', 'start', '--data', pair.client.data], { stdio: 'ignore' });
  return spinUntil(seen, look, since) / 1000;
}

/** From the declaration on the Master to a complete copy that can be read on the Client. */
function firstCopy(pair, name, side, file) {
  const look = shows(side, file);
  const since = process.hrtime.bigint();
  spawn(process.env.TVOX_DR_BIN, ['dataset', 'add', name, '--kind', 'files', '--source', side.source, '--target', side.copy,
    '--data', pair.master.data], { stdio: 'ignore' });
  return spinUntil('the first copy', look, since) / 1000;
}

/** The copy shows what the source has at this path. */
const shows = (side, file) => {
  const wanted = fs.statSync(file, { bigint: true });
  const there = path.join(side.copy, path.relative(side.source, file));
  return () => {
    const found = fs.statSync(there, { bigint: true });
    return found.mtimeNs === wanted.mtimeNs && found.size === wanted.size;
  };
};

export async function small(bench, line) {
  const figures = {};
  const megabytes = Math.max(256, bench.size.small * 0.02);
  await each(bench, [
    () => turn(bench, megabytes, async (side, keep) => {
      const paths = smallFiles(side.source, bench.size.small);
      fs.mkdirSync(side.copy);
      const rsync = keep(await Rsync.start(side.a, line, side.copy));
      figures.rsync_first = rsync.push(side.source).seconds;
      await pause(1100);
      const idle = rsync.push(side.source);
      [figures.rsync_idle, figures.rsync_idle_wire] = [idle.seconds, idle.wire];
      changeFiles(paths, 100 + bench.round);
      figures.rsync_percent = rsync.push(side.source).seconds;
    }),
    () => turn(bench, megabytes, async (side, keep) => {
      const paths = smallFiles(side.source, bench.size.small);
      const pair = keep(await Pair.start(line, side.a, side.b));
      figures.product_first = firstCopy(pair, 'd1', side, paths.at(-1));
      await pair.settled('d1');
      figures.product_percent = await catchUp(pair, () => shows(side, changeFiles(paths, 100 + bench.round)), 'one file in a hundred');
      figures.product_memory = Math.max(...pair.pids.map(peakMemory));
    }),
    () => turn(bench, megabytes, async (side, keep) => {
      smallFiles(side.source, bench.size.small);
      const engine = keep(await Engine.start(line, side.source));
      engine.pull(side.copy);
      await pause(2100);
      // What crossed the line where there is a line of its own; else what the example says it read and wrote.
      engine.pull(side.copy);
      const before = line.bytes?.();
      const idle = engine.pull(side.copy);
      figures.engine_idle = idle.seconds;
      figures.engine_idle_wire = line.bytes ? line.bytes() - before : Number(/travelled in (\d+) bytes/.exec(idle.said)?.[1]);
    }),
  ]);
  return figures;
}

export async function large(bench, line, { engine = false } = {}) {
  const figures = {};
  const count = bench.size.large;
  const turns = [
    () => turn(bench, count + 256, async (side, keep) => {
      largeFiles(side.source, count);
      fs.mkdirSync(side.copy);
      const rsync = keep(await Rsync.start(side.a, line, side.copy));
      figures.rsync = rsync.push(side.source).seconds;
    }),
    () => turn(bench, count + 256, async (side, keep) => {
      largeFiles(side.source, count);
      const pair = keep(await Pair.start(line, side.a, side.b));
      figures.product = firstCopy(pair, 'd2', side, path.join(side.source, `recording-${count - 1}.wav`));
      // Of the 100 Mbit/s of the line; what the packets' own headers take is not counted as ours.
      figures.share = (count * (1 << 20) * 8) / figures.product / 100e6;
    }),
  ];
  if (engine) {
    turns.push(() => turn(bench, count + 256, async (side, keep) => {
      largeFiles(side.source, count);
      const server = keep(await Engine.start(line, side.source));
      figures.engine = server.pull(side.copy).seconds;
    }));
  }
  await each(bench, turns);
  return figures;
}

export async function pages(bench, line) {
  const figures = {};
  const megabytes = bench.size.huge;
  const rival = (name, ...more) => () => turn(bench, megabytes * 2 + 256, async (side, keep) => {
    const file = path.join(side.source, 'huge.dat');
    hugeFile(file, megabytes);
    fs.mkdirSync(side.copy);
    const rsync = keep(await Rsync.start(side.a, line, side.copy));
    rsync.push(side.source);
    await pause(1100);
    changePages(file, 200 + bench.round);
    const ran = rsync.push(side.source, '--no-whole-file', ...more);
    [figures[name], figures[`${name}_wire`]] = [ran.seconds, ran.wire];
  });
  await each(bench, [rival('rsync'), rival('inplace', '--inplace'), () => turn(bench, megabytes * 2 + 256, async (side, keep) => {
    const file = path.join(side.source, 'huge.dat');
    hugeFile(file, megabytes);
    const pair = keep(await Pair.start(line, side.a, side.b));
    await pair.declare('d3', side.source, side.copy);
    await pair.settled('d3');
    let before;
    figures.product = await catchUp(pair, () => {
      figures.changed = changePages(file, 200 + bench.round);
      before = loopbackBytes();
      return shows(side, file);
    }, 'one page in a hundred');
    figures.product_wire = loopbackBytes() - before;
  })]);
  return figures;
}

const loopbackBytes = () => Number(fs.readFileSync('/sys/class/net/lo/statistics/tx_bytes', 'utf8'));

export async function live(bench, line, { rivals = true } = {}) {
  const figures = {};
  const turns = [() => turn(bench, 512, async (side, keep) => {
    const paths = smallFiles(side.source, bench.size.live);
    const pair = keep(await Pair.start(line, side.a, side.b));
    await pair.declare('live', side.source, side.copy);
    await pair.settled('live');
    await pause(11_000);
    Object.assign(figures, await watched('product', side, paths, () => pair.pids, bench));
  })];
  if (rivals) {
    turns.push(() => turn(bench, 512, async (side, keep) => {
      const paths = smallFiles(side.source, bench.size.live);
      fs.mkdirSync(side.copy);
      const rsync = keep(await Rsync.start(side.a, line, side.copy));
      rsync.push(side.source);
      const lsyncd = keep(await Lsyncd.start(side.a, rsync, side.source, 0));
      await pause(3000);
      Object.assign(figures, await watched('lsyncd', side, paths, () => lsyncd.pids, bench));
    }));
  }
  await each(bench, turns);
  return figures;
}

/** Single writes at odd moments, a burst, and a file written twice within a second at the same size. */
async function watched(name, side, paths, pids, bench) {
  const numbers = new Numbers(7);
  const times = [];
  const cpu = () => pids().reduce((sum, pid) => sum + processorTime(pid), 0);
  const before = cpu();
  for (let i = 0; i < bench.size.events; i += 1) {
    const file = paths[numbers.below(paths.length)];
    fs.writeFileSync(file, numbers.text(600 + i));
    times.push(spinUntil('a write is visible', shows(side, file), process.hrtime.bigint(), 30_000));
    await pause(120 + numbers.below(80));
  }
  const perEvent = (cpu() - before) / bench.size.events;
  await pause(2000);

  const burst = path.join(side.source, 'burst');
  fs.mkdirSync(burst);
  await pause(1500);
  const since = process.hrtime.bigint();
  let last;
  for (let i = 0; i < bench.size.burst; i += 1) {
    last = path.join(burst, `b${i}`);
    fs.writeFileSync(`${last}.tmp`, `${i}`.padEnd(300, '.'));
    fs.renameSync(`${last}.tmp`, last);
  }
  const all = () => fs.readdirSync(path.join(side.copy, 'burst')).filter((one) => !one.endsWith('.tmp')).length === bench.size.burst;
  const burstTime = spinUntil('the burst is visible', all, since, 120_000) / 1000;
  await pause(3000);

  // Within one second of the file system's clock, the same size both times.
  const twice = [];
  for (let i = 0; i < 10; i += 1) {
    const file = path.join(side.source, `twice-${i}`);
    fs.writeFileSync(file, 'first ');
    await pause(60);
    fs.writeFileSync(file, 'second');
    twice.push(path.basename(file));
  }
  await pause(8000);
  const stale = twice.filter((file) => {
    try {
      return fs.readFileSync(path.join(side.copy, file), 'utf8') !== 'second';
    } catch {
      return true;
    }
  }).length;
  times.sort((a, b) => a - b);
  return {
    [`${name}_p50`]: times[Math.floor(times.length / 2)],
    [`${name}_p99`]: times[Math.min(times.length - 1, Math.floor(times.length * 0.99))],
    [`${name}_cpu`]: perEvent,
    [`${name}_burst`]: burstTime,
    [`${name}_stale`]: stale,
  };
}

/** What grows with the tree and what only with the change. */
export async function scale(bench, line, count) {
  const figures = {};
  await turn(bench, Math.max(512, count * 0.012), async (side, keep) => {
    const paths = smallFiles(side.source, count);
    const pair = keep(await Pair.start(line, side.a, side.b));
    const since = process.hrtime.bigint();
    await pair.declare('scale', side.source, side.copy);
    await pair.settled('scale');
    figures.first = Number(process.hrtime.bigint() - since) / 1e9;
    await pause(11_000);
    const one = paths[Math.floor(count / 2)];
    const alone = [];
    for (let i = 0; i < 11; i += 1) {
      fs.writeFileSync(one, `changed ${i}`);
      alone.push(spinUntil('one file', shows(side, one), process.hrtime.bigint(), 120_000));
      await pause(500);
    }
    figures.one = alone.sort((a, b) => a - b)[5] / 1000;
    await pause(11_000);
    figures.nothing = (await pair.foundUnchanged('scale')) / 1000;
    figures.percent = await catchUp(pair, () => shows(side, changeFiles(paths, 300)), 'one file in a hundred');
    figures.memory = Math.max(...pair.pids.map(peakMemory));
  });
  sh('sync');
  return figures;
}
