// The product as it is shipped: a Master and a DR Client, associated, over mutual TLS; and its engine alone, which is
// the library's own example (a directory to a directory over TCP, without TLS).
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { freePort, run } from '../../lib/machine.mjs';
import { until } from '../../lib/story.mjs';
import { atEnd } from './place.mjs';

const BIN = process.env.TVOX_DR_BIN;

async function ok(args, input) {
  const ran = await run(BIN, args, { input });
  if (ran.code !== 0) throw new Error(`tvox-dr ${args.join(' ')}: ${ran.err}`);
  return ran.out;
}

/** A pair: the Master's data directory on side A, the Client's (with the replicas) on side B's disk. */
export class Pair {
  static async start(line, dirA, dirB) {
    const pair = new Pair();
    pair.nodes = [];
    const key = path.join(dirA, 'supplier');
    await ok(['licence', 'keygen', '--out', key]);
    const sides = [
      { role: 'master', name: 'master1', module: 'DISASTER_RECOVERY', dir: dirA, host: line.a, inside: line.inA },
      { role: 'client', name: 'dr1', module: 'CLIENT_DISASTER_RECOVERY', dir: dirB, host: line.b, inside: line.inB },
    ];
    for (const side of sides) {
      side.data = path.join(side.dir, `data-${side.name}`);
      side.peer = `${side.host}:${await freePort()}`;
      await ok(['init', '--json', '--data', side.data, '--role', side.role, '--name', side.name, '--insecure-http',
        '--panel', `127.0.0.1:${await freePort()}`, '--peer', side.peer, '--licence-key', `${key}.pub`]);
      const log = fs.openSync(path.join(side.dir, `${side.name}.log`), 'a');
      const args = [...side.inside, BIN, 'serve', '--data', side.data];
      side.child = spawn(args[0], args.slice(1), { stdio: ['ignore', log, log] });
      fs.closeSync(log);
      pair.nodes.push(side);
      atEnd(() => side.child.kill('SIGKILL'));
      await until(`${side.name} answers`, async () => (await run(BIN, ['status', '--data', side.data])).code === 0, { every: 30 });
      const licence = path.join(side.dir, `${side.name}.lic`);
      await ok(['licence', 'issue', '--key', key, '--serial', side.name, '--company', 'X', '--module', side.module, '--out', licence]);
      await ok(['licence', 'load', licence, '--data', side.data]);
      await ok(['threshold', 'set', 'disk.min_free_percent', '0', '--data', side.data]);
    }
    [pair.master, pair.client] = pair.nodes;
    await ok(['peer', 'set', pair.client.peer, '--data', pair.master.data]);
    await ok(['peer', 'set', pair.master.peer, '--data', pair.client.data]);
    const { token } = JSON.parse(await ok(['peer', 'token', '--json', '--data', pair.master.data]));
    await ok(['peer', 'join', '-', '--data', pair.client.data], token);
    await until('the two see each other', async () => (await pair.status(pair.client)).pair.peer?.machines?.[0]?.reachable, { every: 30 });
    return pair;
  }

  async status(node) {
    return JSON.parse(await ok(['status', '--json', '--data', node.data]));
  }

  /** Declares a folder; the Client shows its copy at `target`. */
  async declare(name, source, target) {
    await ok(['dataset', 'add', name, '--kind', 'files', '--source', source, '--target', target, '--data', this.master.data]);
  }

  async switch(word) {
    await ok(['sync', word, '--data', this.client.data]);
  }

  /** How one replica stands. */
  async replica(name) {
    const report = JSON.parse(await ok(['sync', 'status', '--json', '--data', this.client.data]));
    return report.datasets.find((one) => one.name === name);
  }

  /** Nothing is under way and nothing is missing. */
  async settled(name) {
    await until(`${name} is current`, async () => (await this.replica(name))?.state === 'current', { within: 600_000, every: 50 });
  }

  /** Milliseconds until the Client knows, after a STOP, that it still has everything. */
  async foundUnchanged(name) {
    await this.switch('stop');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const { captured_at: before } = await this.replica(name);
    const since = process.hrtime.bigint();
    await this.switch('start');
    await until('the replica is known to be current', async () => (await this.replica(name)).captured_at > before, { within: 120_000, every: 2 });
    return Number(process.hrtime.bigint() - since) / 1e6;
  }

  get pids() {
    return this.nodes.map((node) => node.child.pid);
  }

  stop() {
    for (const node of this.nodes) node.child.kill('SIGKILL');
  }
}

/** The engine's example: a server on side A for one folder, and pulls by side B; readers find the copy at `current`. */
export class Engine {
  static async start(line, source) {
    const engine = new Engine();
    engine.line = line;
    engine.address = `${line.a}:${await freePort()}`;
    const args = [...line.inA, process.env.TVOX_DR_COPY, '--serve', engine.address, source];
    engine.child = spawn(args[0], args.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    atEnd(() => engine.stop());
    await new Promise((resolve, reject) => {
      engine.child.stdout.once('data', resolve);
      engine.child.once('exit', (code) => reject(new Error(`the example ended with ${code}`)));
    });
    return engine;
  }

  /** One pull to its end, durable. Answers seconds and bytes received. */
  pull(store) {
    const args = [...this.line.inB, process.env.TVOX_DR_COPY, '--pull', this.address, store];
    const before = process.hrtime.bigint();
    const ran = spawnSync(args[0], args.slice(1), { encoding: 'utf8' });
    const seconds = Number(process.hrtime.bigint() - before) / 1e9;
    if (ran.status !== 0) throw new Error(`the example: ${ran.stderr}`);
    return { seconds, said: ran.stdout };
  }

  stop() {
    this.child?.kill('SIGKILL');
    this.child = null;
  }
}

/** Looks for something without a pause, as fast as the disk's cache answers; answers the milliseconds it took. */
export function spinUntil(what, look, since, within = 600_000) {
  for (;;) {
    let seen = false;
    try {
      seen = look();
    } catch {
      // Not there yet.
    }
    const passed = Number(process.hrtime.bigint() - since) / 1e6;
    if (seen) return passed;
    if (passed > within) throw new Error(`never came to pass: ${what}`);
    // Others need the processor too.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0.5);
  }
}
