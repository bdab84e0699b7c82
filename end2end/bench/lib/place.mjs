// Where a measurement happens: a fresh file system in memory for everything that is written, and the line between the
// two sides. Everything is made here and removed at the end; nothing of the machine's own network is touched.
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const here = import.meta.dirname;

/** Runs a command to its end and answers what it printed; throws what it complained about. */
export function sh(program, ...args) {
  const ran = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 64 << 20 });
  if (ran.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${ran.error?.message ?? ran.stderr}`);
  return ran.stdout;
}

const undo = [];

/** Undoes everything that was made, the newest first. */
export function tidy() {
  for (let one = undo.pop(); one; one = undo.pop()) {
    try {
      one();
    } catch (error) {
      console.error(`at the end: ${error.message}`);
    }
  }
}

export function atEnd(one) {
  undo.push(one);
}

/** A folder in memory for the whole run. */
export function workshop() {
  const root = fs.mkdtempSync('/dev/shm/tvox-dr-bench-');
  atEnd(() => fs.rmSync(root, { recursive: true, force: true }));
  return root;
}

/** A fresh ext4 in an image in memory: deleting and making trees again on an old one distorts everything. */
export class Disk {
  constructor(root, name, megabytes) {
    this.image = path.join(root, `${name}.img`);
    this.path = path.join(root, name);
    fs.mkdirSync(this.path);
    fs.writeFileSync(this.image, '');
    fs.truncateSync(this.image, megabytes * 1048576);
    sh('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard', '-N', String(Math.max(400_000, megabytes * 100)), this.image);
    sh('mount', '-o', 'loop,noatime', this.image, this.path);
    this.mounted = true;
    atEnd(() => this.remove());
  }

  remove() {
    if (!this.mounted) return;
    this.mounted = false;
    if (spawnSync('umount', [this.path]).status !== 0) sh('umount', '-l', this.path);
    fs.rmSync(this.image);
    fs.rmdirSync(this.path);
  }
}

/** Both sides on this machine's loopback. */
export const loopback = { name: 'loopback', a: '127.0.0.1', b: '127.0.0.1', inA: [], inB: [], bytes: null };

/** Two network namespaces with a line of 20 ms round trip and 100 Mbit/s between them. */
export async function wan(root) {
  const program = path.join(root, 'delay');
  if (!fs.existsSync(program)) sh('cc', '-O2', '-o', program, path.join(here, '../delay.c'), '-lpthread');
  const tag = crypto.randomBytes(3).toString('hex');
  const [nsA, nsB] = [`dra${tag}`, `drb${tag}`];
  const [a, b] = ['10.77.0.1', '10.77.0.2'];
  for (const ns of [nsA, nsB]) {
    sh('ip', 'netns', 'add', ns);
    atEnd(() => sh('ip', 'netns', 'del', ns));
  }
  const child = spawn(program, [nsA, a, nsB, b, '10', '100'], { stdio: ['ignore', 'pipe', 'inherit'] });
  atEnd(() => child.kill('SIGKILL'));
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve);
    child.once('exit', (code) => reject(new Error(`the line ended with ${code}`)));
  });
  const within = (ns) => ['ip', 'netns', 'exec', ns];
  // What has crossed the line, both ways, headers included.
  const bytes = () => Number(sh(...within(nsA), 'cat', '/sys/class/net/wan/statistics/tx_bytes'))
    + Number(sh(...within(nsA), 'cat', '/sys/class/net/wan/statistics/rx_bytes'));
  return { name: 'WAN', a, b, inA: within(nsA), inB: within(nsB), bytes };
}

/** The machine, in one line. */
export function machine() {
  const model = /^model name\s*:\s*(.*)$/m.exec(fs.readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? os.arch();
  const memory = Math.round(os.totalmem() / 2 ** 30);
  return `${os.cpus().length} cores (${model}), ${memory} GiB, Linux ${os.release()}, ext4 in memory`;
}

/** Processor time of a process and of the children it has waited for, in milliseconds. */
export function processorTime(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * 10;
  } catch {
    return 0;
  }
}

/** The most memory a process has held, in MB. */
export function peakMemory(pid) {
  return Number(/VmHWM:\s*(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}
