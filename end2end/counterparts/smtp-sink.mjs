// A mail server that keeps what it is given: one file per mail in a folder, with what
// the connection was like in front. For tests; it listens on a loopback address only.
//
//   node smtp-sink.mjs --folder DIR --port N
//     [--tls implicit|starttls --cert FILE --key FILE]   STARTTLS is then required
//     [--auth USER:PASSWORD]     refuses mail without these
//     [--defer-first N]          answers 451 to the first N recipients
//     [--defer ADDR]…            always answers 451 to this recipient
//     [--reject ADDR]…           always answers 550 to this recipient
//
// Prints "ready" when it listens.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { SMTPServer } from 'smtp-server';

const { values: options } = parseArgs({
  options: {
    folder: { type: 'string' },
    port: { type: 'string' },
    tls: { type: 'string' },
    cert: { type: 'string' },
    key: { type: 'string' },
    auth: { type: 'string' },
    'defer-first': { type: 'string', default: '0' },
    defer: { type: 'string', multiple: true, default: [] },
    reject: { type: 'string', multiple: true, default: [] },
  },
});

let deferrals = Number(options['defer-first']);
let count = 0;

const refusal = (code, words) => Object.assign(new Error(words), { responseCode: code });

const disabled = [];
if (options.tls !== 'starttls') disabled.push('STARTTLS');
if (!options.auth) disabled.push('AUTH');

const server = new SMTPServer({
  secure: options.tls === 'implicit',
  ...(options.tls ? { cert: readFileSync(options.cert), key: readFileSync(options.key) } : {}),
  disabledCommands: disabled,
  authOptional: !options.auth,
  // A test may ask for a password in clear; whether to give it is the sender's choice.
  allowInsecureAuth: true,
  disableReverseLookup: true,
  onAuth(auth, _session, done) {
    if (`${auth.username}:${auth.password}` === options.auth) done(null, { user: auth.username });
    else done(refusal(535, '5.7.8 authentication failed'));
  },
  onMailFrom(_address, session, done) {
    if (options.tls && !session.secure) done(refusal(530, '5.7.0 Must issue a STARTTLS command first'));
    else done();
  },
  onRcptTo({ address }, _session, done) {
    if (options.reject.includes(address)) return done(refusal(550, `5.1.1 <${address}> no such user here`));
    if (options.defer.includes(address) || deferrals > 0) {
      deferrals -= 1;
      return done(refusal(451, '4.7.1 greylisted, come back later'));
    }
    return done();
  },
  onData(stream, session, done) {
    const chunks = [];
    stream.on('data', (chunk) => chunks.push(chunk));
    stream.on('end', () => {
      count += 1;
      const about = [
        `X-Sink-From: ${session.envelope.mailFrom.address}`,
        `X-Sink-To: ${session.envelope.rcptTo.map((to) => to.address).join(', ')}`,
        `X-Sink-Secure: ${Boolean(session.secure)}`,
        `X-Sink-User: ${session.user ?? ''}`,
        '',
      ].join('\r\n');
      const name = `${Date.now()}-${process.pid}-${String(count).padStart(4, '0')}.eml`;
      writeFileSync(join(options.folder, `${name}.part`), Buffer.concat([Buffer.from(about), ...chunks]));
      // Whoever looks sees a whole mail or none.
      renameSync(join(options.folder, `${name}.part`), join(options.folder, name));
      done(null, `kept as ${count}`);
    });
  },
});

// A client that goes away in the middle is no reason to go away too.
server.on('error', (error) => {
  if (error.code === 'EADDRINUSE') {
    console.error(error.message);
    process.exit(1);
  }
});
server.listen(Number(options.port), '127.0.0.1', () => console.log('ready'));
