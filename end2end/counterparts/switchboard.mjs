// A carrier's portal for the tests: PUT /route switches the calls to whoever the body names, DELETE takes that back,
// GET answers 200 while they are switched and 404 otherwise. Without the right bearer token: 401, with the token that
// came, as careless servers do. Prints `ready` and the SHA-256 of its certificate; every change is a line of the file given by --log.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { port: { type: 'string' }, token: { type: 'string' }, log: { type: 'string' }, cert: { type: 'string' }, key: { type: 'string' } },
});
let switched = false;

function answer(request, response) {
  const given = request.headers.authorization ?? '';
  if (given !== `Bearer ${values.token}`) return response.writeHead(401).end(`not you: ${given}`);
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    if (request.method === 'GET') return response.writeHead(switched ? 200 : 404).end();
    switched = request.method === 'PUT';
    fs.appendFileSync(values.log, `${request.method} ${Buffer.concat(chunks)}\n`);
    response.writeHead(200).end('as you wish');
  });
}

const server = values.cert
  ? https.createServer({ cert: fs.readFileSync(values.cert), key: fs.readFileSync(values.key) }, answer)
  : http.createServer(answer);
const pin = values.cert ? new crypto.X509Certificate(fs.readFileSync(values.cert)).fingerprint256 : '';
server.listen(Number(values.port), '127.0.0.1', () => console.log(`ready ${pin}`));
