// An SMS gateway that keeps what it is given: one file per SMS in a folder. For the demo,
// where a telephone network would be too much; it listens on a loopback address only.
//
//   node sms-sink.mjs --folder DIR --port N
//
// Takes POST with JSON {"to","text","ref"}; prints "ready" when it listens.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { folder: { type: 'string' }, port: { type: 'string' } } });
let count = 0;

createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8');
  request.on('data', (chunk) => {
    body += chunk;
    if (body.length > 65536) request.destroy();
  });
  request.on('end', () => {
    try {
      const { to, text, ref } = JSON.parse(body);
      count += 1;
      const name = `${String(count).padStart(4, '0')}.txt`;
      writeFileSync(join(options.folder, name), `To: ${to}\nRef: ${ref}\n\n${text}\n`);
      response.writeHead(200).end('OK');
    } catch (error) {
      response.writeHead(400).end(String(error.message));
    }
  });
}).listen(Number(options.port), '127.0.0.1', () => console.log('ready'));
