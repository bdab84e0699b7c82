// The competitors, as Debian ships them: rsync pushing to its daemon, and lsyncd driving that rsync.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { freePort } from '../../lib/machine.mjs';
import { until } from '../../lib/story.mjs';
import { atEnd, sh } from './place.mjs';

/** An rsync daemon on side B that takes everything into one folder. */
export class Rsync {
  static async start(root, line, into) {
    const rsync = new Rsync();
    Object.assign(rsync, { line, into, port: await freePort() });
    rsync.config = path.join(root, `rsyncd-${rsync.port}.conf`);
    fs.writeFileSync(rsync.config, `use chroot = no\nlog file = /dev/null\n[copy]\npath = ${into}\nread only = no\nuid = 0\ngid = 0\n`);
    const args = [...line.inB, 'rsync', '--daemon', '--no-detach', `--address=${line.b}`, `--port=${rsync.port}`, `--config=${rsync.config}`];
    rsync.child = spawn(args[0], args.slice(1), { stdio: 'ignore' });
    atEnd(() => rsync.stop());
    await until('the rsync daemon answers', () => spawnSync([...line.inA, 'rsync'][0], [...line.inA, 'rsync', `${rsync.target}`].slice(1)).status === 0, { every: 20 });
    return rsync;
  }

  get target() {
    return `rsync://${this.line.b}:${this.port}/copy/`;
  }

  /** One run to its end, durable. Answers seconds and bytes on the wire. */
  push(from, ...more) {
    const args = [...this.line.inA, 'rsync', '-aHAX', '--delete', '--stats', ...more, `${from}/`, this.target];
    const before = process.hrtime.bigint();
    const ran = spawnSync(args[0], args.slice(1), { encoding: 'utf8', maxBuffer: 64 << 20 });
    if (ran.status !== 0) throw new Error(`rsync: ${ran.stderr}`);
    sh('sync', '-f', this.into);
    const seconds = Number(process.hrtime.bigint() - before) / 1e9;
    const count = (what) => Number(new RegExp(`Total bytes ${what}: ([\\d,]+)`).exec(ran.stdout)[1].replaceAll(',', ''));
    return { seconds, wire: count('sent') + count('received') };
  }

  stop() {
    this.child?.kill('SIGKILL');
    this.child = null;
  }
}

/** lsyncd watching a folder and sending to an rsync daemon. */
export class Lsyncd {
  static async start(root, rsync, from, delay) {
    const lsyncd = new Lsyncd();
    const config = path.join(root, 'lsyncd.lua');
    fs.writeFileSync(config, `settings { nodaemon = true, insist = true }
sync { default.rsync, source = "${from}/", target = "${rsync.target}", delay = ${delay},
  rsync = { archive = true, hard_links = true, acls = true, xattrs = true } }
`);
    lsyncd.child = spawn('lsyncd', [config], { stdio: 'ignore' });
    lsyncd.rsync = rsync;
    atEnd(() => lsyncd.stop());
    return lsyncd;
  }

  /** The processes whose time counts: their children's time comes to them. */
  get pids() {
    return [this.child.pid, this.rsync.child.pid];
  }

  stop() {
    this.child?.kill('SIGKILL');
    this.child = null;
  }
}
