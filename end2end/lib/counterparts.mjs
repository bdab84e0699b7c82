// Real servers for messages to go to: a mail server and an SMS gateway, each a process that keeps what it is given in
// files. Both can be taken down and brought up again on their port.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { freePort } from './machine.mjs';
import { until } from './story.mjs';

const FOLDER = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../counterparts');

/** Waits until a machine has written down what became of its first tries: SMS taken, mails not. Who kills it before may
 *  see a message twice, under one reference: between sending and writing down there is no third place. */
export async function settled(machine) {
  await until(`${machine.name} has written its tries down`, async () => {
    const { alarms } = await machine.json(['alarm', 'list']);
    const all = alarms.flatMap((alarm) => alarm.deliveries);
    return all.length > 0 && all.every((one) => (one.channel === 'sms' ? one.state === 'sent' : one.state === 'queued' && one.attempts > 0));
  });
}

class Sink {
  #child = null;

  /** Brought up, and gone when the story ends. `kind`: smtp or sms. */
  static async up(teller, kind, options = []) {
    const sink = new this();
    sink.port = await freePort();
    sink.folder = fs.mkdtempSync(path.join(teller.root, `${kind}-`));
    sink.command = [path.join(FOLDER, `${kind}-sink.mjs`), '--folder', sink.folder, '--port', String(sink.port), ...options];
    teller.atEnd(() => sink.stop());
    await sink.start();
    return sink;
  }

  async start() {
    const child = spawn(process.execPath, this.command, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    child.ended = new Promise((resolve) => child.on('exit', resolve));
    await new Promise((resolve, reject) => {
      child.stdout.once('data', resolve);
      child.once('exit', (code) => reject(new Error(`${path.basename(this.command[0])} ended with ${code}`)));
    });
  }

  async stop() {
    const child = this.#child;
    this.#child = null;
    child?.kill('SIGKILL');
    await child?.ended;
  }

  /** The texts of what arrived, in the order of arrival. */
  texts(ending) {
    return fs.readdirSync(this.folder).filter((name) => name.endsWith(ending)).sort().map((name) => fs.readFileSync(path.join(this.folder, name), 'utf8'));
  }
}

export class MailServer extends Sink {
  /** Every mail: to whom, what it is called, what it says. */
  mails() {
    return this.texts('.eml').map((text) => {
      const at = text.indexOf('\r\n\r\n');
      const head = text.slice(0, at).replace(/\r\n[ \t]/g, ' ');
      const header = (name) => new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1].trim() ?? '';
      return { to: header('X-Sink-To'), user: header('X-Sink-User'), id: header('Message-ID'), language: header('Content-Language'),
        title: words(header('Subject')), body: body(text.slice(at + 4), header('Content-Transfer-Encoding')) };
    });
  }
}

export class SmsGateway extends Sink {
  /** Every SMS: to whom, under which reference, what it says. */
  messages() {
    return this.texts('.txt').map((text) => {
      const [, to, ref, said] = /^To: (.*)\nRef: (.*)\n\n([^]*)\n$/.exec(text);
      return { to, ref, text: said };
    });
  }
}

const quoted = (text) => Buffer.from(text.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(parseInt(hex, 16))), 'latin1').toString();

/** The body of a mail as a reader sees it (RFC 2045, 6). */
function body(text, encoding) {
  if (/^base64$/i.test(encoding)) return Buffer.from(text, 'base64').toString();
  return /^quoted-printable$/i.test(encoding) ? quoted(text) : text;
}

/** A header as a reader sees it (RFC 2047). */
function words(text) {
  return text.replace(/\?=\s+=\?/g, '?==?').replace(/=\?utf-8\?([bq])\?([^?]*)\?=/gi, (_, how, coded) => (
    how.toLowerCase() === 'b' ? Buffer.from(coded, 'base64').toString() : quoted(coded.replace(/_/g, ' '))));
}
