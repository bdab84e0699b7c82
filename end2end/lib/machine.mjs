// Real machines: each is a data directory, two free ports of the loopback and a `tvox-dr serve` process. What the
// stories do not do in the browser they do by the public command line.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { output, until } from './story.mjs';

const BIN = process.env.TVOX_DR_BIN;
const MODULE = { master: 'DISASTER_RECOVERY', client: 'CLIENT_DISASTER_RECOVERY' };

/** The password that the stories choose at the first login. */
export const PASSWORD = 'una frase abbastanza lunga';

/** Runs a program to its end. */
export function run(program, args, { input = '', env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    const out = [];
    const err = [];
    child.stdout.on('data', (d) => out.push(d));
    child.stderr.on('data', (d) => err.push(d));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() }));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}

async function succeed(args, options) {
  const ran = await run(BIN, args, options);
  assert.equal(ran.code, 0, `tvox-dr ${args.join(' ')}: ${ran.err}`);
  return ran.out;
}

const given = new Set();

/** Ports that were free a moment ago, and that no other machine of this story got. */
export async function freePort() {
  for (;;) {
    const port = await new Promise((resolve, reject) => {
      const server = net.createServer().once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        server.close(() => resolve(port));
      });
    });
    if (!given.has(port)) {
      given.add(port);
      return port;
    }
  }
}

/** Who sells licences in this story. */
export class Supplier {
  static async at(root, name = 'supplier') {
    const supplier = new Supplier();
    supplier.root = root;
    supplier.key = path.join(root, name);
    await succeed(['licence', 'keygen', '--out', supplier.key]);
    return supplier;
  }

  /** A licence file for one side; answers its path. */
  async licence(role, name = role, more = []) {
    const file = path.join(this.root, `${name}.lic`);
    await succeed(['licence', 'issue', '--key', this.key, '--serial', `S-${name}`, '--company', 'Azienda S.p.A.',
      '--module', MODULE[role], '--out', file, ...more]);
    return file;
  }
}

/** One machine. */
export class Machine {
  #process = null;

  /** What `serve` finds in its environment besides. */
  env = {};

  /** Initialised and not started. */
  static async init(teller, supplier, role, name, { tls = false } = {}) {
    const machine = new Machine();
    Object.assign(machine, { role, name, tls, data: path.join(teller.root, name), supplier });
    machine.log = path.join(output, `${name}.log`);
    [machine.panelPort, machine.peerPort] = [await freePort(), await freePort()];
    const args = ['init', '--json', '--data', machine.data, '--role', role, '--name', name,
      '--panel', `127.0.0.1:${machine.panelPort}`, '--peer', machine.peer, '--licence-key', `${supplier.key}.pub`];
    const said = JSON.parse(await succeed(tls ? args : [...args, '--insecure-http']));
    machine.id = said.node_id;
    machine.firstPassword = said.password;
    machine.password = said.password;
    machine.fingerprint = said.fingerprint;
    teller.atEnd(() => machine.kill());
    return machine;
  }

  get url() {
    return `${this.tls ? 'https' : 'http'}://127.0.0.1:${this.panelPort}`;
  }

  get peer() {
    return `127.0.0.1:${this.peerPort}`;
  }

  get pid() {
    return this.#process?.pid;
  }

  get cookieName() {
    return `tvox-dr-${this.id}`;
  }

  /** Starts the node and waits until its panel answers. */
  async start() {
    const log = fs.openSync(this.log, 'a');
    const child = spawn(BIN, ['serve', '--data', this.data], { stdio: ['ignore', log, log], env: { ...process.env, ...this.env } });
    fs.closeSync(log);
    this.#process = child;
    child.ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve({ code, signal })));
    let gone = null;
    child.ended.then((how) => { gone = how; });
    await until(`the panel of ${this.name} answers`, async () => {
      assert.equal(gone, null, `${this.name} ended at once: ${this.tail()}`);
      return (await this.ask('GET', '/login')).status === 200;
    }, { every: 30 });
  }

  tail() {
    return fs.readFileSync(this.log, 'utf8').split('\n').slice(-6).join('\n');
  }

  async #end(signal) {
    const child = this.#process;
    if (!child) return null;
    this.#process = null;
    const started = Date.now();
    child.kill(signal);
    return { ...(await child.ended), seconds: (Date.now() - started) / 1000 };
  }

  /** Waits until it dies by itself. */
  async died() {
    const child = this.#process;
    const end = setTimeout(() => child.kill('SIGKILL'), 30_000);
    const how = await child.ended;
    clearTimeout(end);
    this.#process = null;
    return how;
  }

  /** From the next start on the machine has booted once more. */
  boots(id) {
    this.env.TVOX_DR_BOOT_ID = id;
  }

  /** SIGKILL: the power is gone. */
  async kill() {
    return this.#end('SIGKILL');
  }

  /** SIGTERM: how it ended and how long it took. */
  async stop() {
    return this.#end('SIGTERM');
  }

  /** A command of this machine, however it ends. */
  cli(args, options) {
    return run(BIN, [...args, '--data', this.data], options);
  }

  /** A command of this machine that must work. */
  ok(args, options) {
    return succeed([...args, '--data', this.data], options);
  }

  async json(args, options) {
    return JSON.parse(await this.ok([...args, '--json'], options));
  }

  /** One dataset as this machine reports it. */
  async dataset(name) {
    return (await this.json(['sync', 'status'])).datasets.find((dataset) => dataset.name === name) ?? {};
  }

  async license() {
    await this.ok(['licence', 'load', await this.supplier.licence(this.role, this.name)]);
  }

  /** One request without a browser: exactly these headers. `form` is sent as a browser sends a form. */
  ask(method, target, { headers = {}, form, body, from, cookie } = {}) {
    const text = form ? new URLSearchParams(form).toString() : body;
    const sent = { ...(form ? { 'content-type': 'application/x-www-form-urlencoded' } : {}), ...(cookie ? { cookie } : {}), ...headers };
    if (text !== undefined) sent['content-length'] = Buffer.byteLength(text);
    return new Promise((resolve, reject) => {
      const request = (this.tls ? https : http).request(this.url + target, { method, headers: sent, agent: false,
        rejectUnauthorized: false, localAddress: from, timeout: 20_000 }, (response) => {
        const chunks = [];
        const certificate = response.socket.getPeerCertificate?.();
        const settle = () => resolve({ status: response.statusCode, headers: response.headers, certificate, text: Buffer.concat(chunks).toString() });
        response.on('data', (d) => {
          chunks.push(d);
          // A stream never ends by itself: its first piece says enough.
          if (response.headers['content-type']?.startsWith('text/event-stream')) { settle(); response.destroy(); }
        });
        response.on('end', settle);
        response.on('error', reject);
      });
      request.on('timeout', () => request.destroy(new Error(`${method} ${target}: no answer`)));
      request.on('error', reject);
      request.end(text);
    });
  }

  /** Logs in without a browser; answers the cookie. */
  async session(user = 'admin', password = this.password, from) {
    const answer = await this.ask('POST', '/login', { form: { name: user, password }, from });
    assert.equal(answer.status, 303, `${user} logs in on ${this.name}`);
    return answer.headers['set-cookie'].map((line) => line.split(';')[0]).find((pair) => pair.startsWith(this.cookieName));
  }

  /** A user whose password need not be changed any more; answers the session's cookie. */
  async user(name, role) {
    await this.ok(['user', 'add', name, '--role', role], { input: 'una password di partenza' });
    const first = await this.session(name, 'una password di partenza');
    const form = { action: 'password.change', current: 'una password di partenza', new: PASSWORD, again: PASSWORD };
    const answer = await this.ask('POST', '/account', { cookie: first, form });
    assert.equal(answer.status, 303, `${name} chooses a password`);
    return this.session(name, PASSWORD);
  }

  /** Chooses the administrator's password without a browser; answers the session's cookie. */
  async settle() {
    const first = await this.session();
    const form = { action: 'password.change', current: this.password, new: PASSWORD, again: PASSWORD };
    assert.equal((await this.ask('POST', '/account', { cookie: first, form })).status, 303);
    this.password = PASSWORD;
    return this.session();
  }
}

/** A Master and a Client, started, that have never heard of each other. */
export async function strangers(teller, options) {
  const supplier = await Supplier.at(teller.root);
  const master = await Machine.init(teller, supplier, 'master', 'master1', options);
  const client = await Machine.init(teller, supplier, 'client', 'dr1', options);
  await Promise.all([master.start(), client.start()]);
  // How full the disk is on which the stories run is none of their business.
  for (const machine of [master, client]) await machine.ok(['threshold', 'set', 'disk.min_free_percent', '0']);
  return { supplier, master, client };
}

/** Licensed, addressed, associated: by command line, for stories about something else. */
export async function associated(teller, options) {
  const pair = await strangers(teller, options);
  const { master, client } = pair;
  await Promise.all([master.license(), client.license()]);
  await Promise.all([master.ok(['peer', 'set', client.peer]), client.ok(['peer', 'set', master.peer])]);
  const { token } = await master.json(['peer', 'token']);
  await client.ok(['peer', 'join', '-'], { input: token });
  await until('the Master sees the Client', async () => (await master.json(['status'])).pair.peer?.machines?.[0]?.reachable);
  return pair;
}
