// The PBX whose data is replicated: kamailio's configuration, prompts, and a database that is being written (see
// sample.sh). Its copy on the DR Client is only ever read the way a reader there does.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { run } from './machine.mjs';

const SAMPLE = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '..', 'sample.sh');

export class Pbx {
  /** Lays the sample out. `prompts`: how many sets of the prompts there are, so that a copy can be watched. */
  static async at(root, { prompts = 1 } = {}) {
    const pbx = new Pbx();
    pbx.home = path.join(root, 'pbx');
    pbx.replica = path.join(root, 'replica');
    fs.mkdirSync(pbx.replica);
    const laid = await run(SAMPLE, [pbx.home]);
    assert.equal(laid.code, 0, laid.err);
    for (let n = 2; n <= prompts; n += 1) fs.cpSync(path.join(pbx.home, 'sounds/it'), path.join(pbx.home, `sounds/it-${n}`), { recursive: true });
    pbx.etc = path.join(pbx.home, 'etc');
    pbx.sounds = path.join(pbx.home, 'sounds');
    pbx.database = path.join(pbx.home, 'db/kamailio.sqlite');
    return pbx;
  }

  /** Where a dataset is read on the Client. */
  target(name) {
    return path.join(this.replica, name);
  }

  /** A process that takes a call several times a second, until told to stop. */
  startWriting(teller) {
    const writer = spawn(SAMPLE, ['--writer', this.database, '0.2', String(process.pid)], { stdio: 'ignore' });
    const ended = new Promise((resolve) => writer.on('exit', resolve));
    this.stopWriting = async () => {
      writer.kill('SIGKILL');
      await ended;
    };
    teller.atEnd(this.stopWriting);
  }

  /** One call with an id of its own, committed when this returns. */
  async call(id) {
    const sql = `INSERT INTO acc (method, from_tag, to_tag, callid, sip_code, sip_reason, time) VALUES ('INVITE', 'a', 'b', '${id}', '200', 'OK', datetime('now'))`;
    const ran = await run('sqlite3', ['-bail', '-cmd', '.timeout 5000', this.database, sql]);
    assert.equal(ran.code, 0, ran.err);
  }

  /** Asks the copy of the database one thing. Fails if the copy is not a sound database; `null` before there is one. */
  async askCopy(name, sql) {
    let real;
    try {
      real = fs.realpathSync(this.target(name));
    } catch {
      return null;
    }
    const ran = await run('sqlite3', ['-bail', `file:${real}?mode=ro&immutable=1`, `PRAGMA integrity_check; ${sql}`]);
    // A generation that was just followed by the next one may be gone between the two looks.
    if (!fs.existsSync(real)) return null;
    assert.equal(ran.code, 0, `the copy of the database cannot be read: ${ran.err}`);
    const [sound, ...answer] = ran.out.trim().split('\n');
    assert.equal(sound, 'ok', 'the copy of the database is sound');
    return answer.join('\n');
  }

  async copyHasCall(name, id) {
    return (await this.askCopy(name, `SELECT count(*) FROM acc WHERE callid = '${id}'`)) === '1';
  }
}

/** What a tree holds: one line per entry, with mode, time, content. Two equal trees give equal lists. */
export function inventory(root) {
  const lines = [];
  const walk = (at) => {
    for (const entry of fs.readdirSync(path.join(root, at), { withFileTypes: true })) {
      const here = path.join(at, entry.name);
      const full = path.join(root, here);
      const stat = fs.lstatSync(full);
      const mode = (stat.mode & 0o7777).toString(8);
      if (entry.isSymbolicLink()) lines.push(`${here} -> ${fs.readlinkSync(full)}`);
      else if (entry.isDirectory()) {
        lines.push(`${here}/ ${mode}`);
        walk(here);
      } else {
        const hash = crypto.createHash('sha256').update(fs.readFileSync(full)).digest('hex');
        lines.push(`${here} ${mode} ${Math.floor(stat.mtimeMs / 1000)} ${hash}`);
      }
    }
  };
  walk('.');
  return lines.sort();
}
