// The panel keeps out who has no business in it: foreign pages, ended sessions, whoever is not logged in. Over TLS, as
// installed.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { browser, openAs } from '../lib/browser.mjs';
import { associated, PASSWORD, run } from '../lib/machine.mjs';
import { pagesOf } from '../lib/routes.mjs';
import { story, until } from '../lib/story.mjs';

const PAGES = { master: pagesOf('master'), client: pagesOf('client') };

await story(async (t) => {
  const { master, client } = await associated(t, { tls: true });
  let admin = await master.settle();

  await t.check('the certificate is the one whose fingerprint `init` printed', async () => {
    const { certificate } = await master.ask('GET', '/login');
    const plain = (text) => text.replace(/[^0-9a-f]/gi, '').toLowerCase();
    assert.ok(plain(master.fingerprint).endsWith(plain(certificate.fingerprint256)), `${master.fingerprint} ${certificate.fingerprint256}`);
  });

  await t.check('without a session every page leads to the login and tells nothing', async () => {
    for (const machine of [master, client]) {
      for (const target of [...PAGES.master, ...PAGES.client, '/registro/export', '/no-such-page', '/registro?upto=1']) {
        for (const method of target === '/registro/export' ? ['GET'] : ['GET', 'POST']) {
          const answer = await machine.ask(method, target, method === 'POST' ? { form: { action: 'licence.remove' } } : {});
          if (method === 'POST' && target === '/no-such-page') assert.ok([303, 404, 405].includes(answer.status), `${method} ${target}: ${answer.status}`);
          else assert.equal(answer.status, 303, `${method} ${target}`);
          if (answer.status === 303) assert.match(answer.headers.location, /^\/login\?next=/, `${method} ${target}`);
          assert.equal(answer.text, '', `${method} ${target}`);
        }
      }
      assert.equal((await machine.ask('GET', '/events')).status, 401);
    }
  });

  await t.check('a made-up session is no session', async () => {
    for (const value of ['x', 'AAAAAAAAAAAAAAAAAAAAAA', `${'A'.repeat(5000)}`, '%00', '"quoted"']) {
      const cookie = `${master.cookieName}=${value}`;
      assert.equal((await master.ask('GET', '/', { cookie })).status, 303, value.slice(0, 30));
      assert.equal((await master.ask('GET', '/events', { cookie })).status, 401, value.slice(0, 30));
    }
    // Cookies ignore ports: the Master's session is sent to the Client's panel too.
    assert.equal((await client.ask('GET', '/', { cookie: admin })).status, 303, 'one panel’s session opens nothing on the other');
  });

  await t.check('every answer carries the headers that protect it', async () => {
    const style = /href="(\/assets\/[^"]+\/style\.css)"/.exec((await master.ask('GET', '/login')).text)[1];
    for (const target of [...PAGES.master, '/login', '/no-such-page', '/replicazione', '/registro/export', '/events', style, '/assets/none']) {
      for (const cookie of [undefined, admin]) {
        const { headers, text, status } = await master.ask('GET', target, { cookie });
        const about = `${target} ${cookie ? 'logged in' : 'stranger'} (${status})`;
        assert.equal(headers['x-content-type-options'], 'nosniff', about);
        assert.equal(headers['referrer-policy'], 'same-origin', about);
        assert.equal(headers['x-frame-options'], 'DENY', about);
        const policy = headers['content-security-policy'];
        assert.match(policy, /default-src 'none'/, about);
        assert.match(policy, /frame-ancestors 'none'/, about);
        assert.match(policy, /base-uri 'none'/, about);
        assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval(?<!wasm-unsafe-eval)|\*|https?:/, about);
        if (target !== style) assert.equal(headers['cache-control'], 'no-store', about);
        if (headers['content-type']?.startsWith('text/html') && text) {
          const nonce = /'nonce-([^']+)'/.exec(policy)[1];
          for (const [tag] of text.matchAll(/<script\b[^>]*>/g)) assert.ok(tag.includes(`nonce="${nonce}"`), `${about}: ${tag}`);
          assert.doesNotMatch(text, /\sstyle="|\son[a-z]+="|<style\b|javascript:/, about);
        }
      }
    }
    const nonces = await Promise.all([1, 2].map(async () => /'nonce-([^']+)'/.exec((await master.ask('GET', '/login')).headers['content-security-policy'])[1]));
    assert.notEqual(nonces[0], nonces[1], 'a nonce is used once');
  });

  await t.check('the session’s cookie is of this node, unreadable for scripts, for this site and TLS only', async () => {
    const answer = await master.ask('POST', '/login', { form: { name: 'admin', password: PASSWORD } });
    const line = answer.headers['set-cookie'].find((one) => one.startsWith(`${master.cookieName}=`));
    for (const flag of ['HttpOnly', 'SameSite=Strict', 'Secure', 'Path=/']) assert.ok(line.includes(flag), `${flag} in ${line.replace(/=[^;]+/, '=…')}`);
    assert.notEqual(client.cookieName, master.cookieName, 'two panels may share one address');
  });

  await t.check('a form sent by a page of another site, or of another port of this host, is refused', async () => {
    const form = { action: 'peer.set', address: '10.0.0.9' };
    const saved = async () => (await master.json(['peer', 'show'])).address;
    const before = await saved();
    for (const headers of [
      { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
      { 'sec-fetch-site': 'same-site', origin: client.url },
      { 'sec-fetch-site': 'nonsense' },
      { origin: 'https://evil.example' },
      { origin: client.url },
      { origin: `http://127.0.0.1:${master.panelPort}` },
      { origin: 'null' },
    ]) {
      for (const target of ['/disaster-recovery', '/login', '/logout', '/lang']) {
        const answer = await master.ask('POST', target, { cookie: admin, headers, form });
        assert.equal(answer.status, 403, `${target} ${JSON.stringify(headers)}`);
        assert.equal(answer.headers['set-cookie'], undefined);
      }
    }
    assert.equal(await saved(), before);
    assert.equal((await master.ask('GET', '/', { cookie: admin })).status, 200, 'and nobody was logged out');
    const own = { 'sec-fetch-site': 'same-origin', origin: master.url };
    assert.equal((await master.ask('POST', '/disaster-recovery', { cookie: admin, headers: own, form: { ...form, address: client.peer } })).status, 303, 'its own page may');
  });

  const chromium = await browser(t);
  await t.check('in a real browser a page on another port of this host cannot press a button of the panel', async () => {
    const page = await openAs(t, chromium, master, admin, { ignoreHTTPSErrors: true });
    const trap = http.createServer((_, response) => {
      response.setHeader('content-type', 'text/html');
      response.end(`<form method="post" action="${master.url}/licenza"><input name="action" value="licence.remove"><button>win a prize</button></form>
        <iframe src="${master.url}/licenza"></iframe>`);
    });
    await new Promise((resolve) => trap.listen(0, '127.0.0.1', resolve));
    t.atEnd(() => trap.close());
    await page.goto(`http://127.0.0.1:${trap.address().port}/`);
    const framed = await until('the frame has loaded', () => page.frames().find((frame) => frame !== page.mainFrame()));
    assert.equal(await framed.getByText('Stato Licenza').count(), 0, 'and cannot show it in a frame');
    const posted = page.waitForResponse((response) => response.request().method() === 'POST');
    await page.getByRole('button').click();
    assert.ok([303, 403].includes((await posted).status()));
    assert.equal((await master.json(['licence', 'show'])).state, 'valid', 'nothing was removed');
    await page.context().close();
  });

  await t.check('GET changes nothing', async () => {
    const before = (await master.json(['audit'])).head.seq;
    for (const target of ['/logout', '/lang?lang=en', '/licenza?action=licence.remove', '/disaster-recovery?action=peer.forget', '/utenti?action=user.remove&name=admin']) {
      const answer = await master.ask('GET', target, { cookie: admin });
      assert.ok([200, 404, 405].includes(answer.status), `${target}: ${answer.status}`);
    }
    assert.equal((await master.json(['audit'])).head.seq, before);
    assert.equal((await master.ask('GET', '/', { cookie: admin })).status, 200);
  });

  await t.check('a login leads to a page of this panel and nowhere else', async () => {
    for (const next of ['//evil.example/', 'https://evil.example', '/\\evil.example', '/dati\r\nx: y', 'javascript:alert(1)']) {
      const answer = await master.ask('POST', '/login', { form: { name: 'admin', password: PASSWORD, next } });
      assert.equal(answer.headers.location, '/', next);
    }
    assert.equal((await master.ask('POST', '/login', { form: { name: 'admin', password: PASSWORD, next: '/dati' } })).headers.location, '/dati');
  });

  await t.check('logging out ends the session, and its event stream does not open again', async () => {
    const cookie = await master.session();
    assert.equal((await master.ask('GET', '/events', { cookie })).status, 200);
    assert.equal((await master.ask('POST', '/logout', { cookie })).status, 303);
    assert.equal((await master.ask('GET', '/', { cookie })).status, 303);
    assert.equal((await master.ask('GET', '/events', { cookie })).status, 401);
  });

  await t.check('changing the password ends the user’s other sessions and goes on with a new one', async () => {
    const [here, elsewhere] = [await master.session(), await master.session()];
    const other = 'un’altra frase abbastanza lunga';
    const answer = await master.ask('POST', '/account', { cookie: here, form: { action: 'password.change', current: PASSWORD, new: other, again: other } });
    assert.equal(answer.status, 303);
    const renewed = answer.headers['set-cookie'].map((line) => line.split(';')[0]).find((pair) => pair.startsWith(master.cookieName));
    for (const dead of [here, elsewhere, admin]) assert.equal((await master.ask('GET', '/', { cookie: dead })).status, 303);
    assert.equal((await master.ask('GET', '/', { cookie: renewed })).status, 200);
    master.password = other;
    admin = renewed;
  });

  await t.check('a removed user’s session ends at once', async () => {
    const carla = await master.user('carla', 'operator');
    assert.equal((await master.ask('GET', '/', { cookie: carla })).status, 200);
    await master.ok(['user', 'remove', 'carla']);
    assert.equal((await master.ask('GET', '/', { cookie: carla })).status, 303);
  });

  await t.check('a password that another set must be changed before anything else', async () => {
    const form = { action: 'user.add', name: 'nuovo', role: 'admin', password: 'una password di partenza' };
    assert.equal((await master.ask('POST', '/utenti', { cookie: admin, form })).status, 303);
    const cookie = await master.session('nuovo', 'una password di partenza');
    for (const target of ['/', '/dati', '/registro', '/registro/export']) assert.equal((await master.ask('GET', target, { cookie })).headers.location, '/account', target);
    assert.equal((await master.ask('POST', '/licenza', { cookie, form: { action: 'licence.remove' } })).headers.location, '/account');
    assert.equal((await master.ask('GET', '/events', { cookie })).status, 401);
    assert.equal((await master.json(['licence', 'show'])).state, 'valid');
  });

  await t.check('no secret is on any page, in the audit log or in the process’s log', async () => {
    const { token } = await master.json(['peer', 'token']);
    const secret = token.split('.').at(-1);
    const secrets = [secret, PASSWORD, master.password, master.firstPassword, 'una password di partenza', admin.split('=')[1]];
    const text = [...await Promise.all(PAGES.master.map(async (target) => (await master.ask('GET', target, { cookie: admin })).text)),
      (await master.ask('GET', '/registro/export', { cookie: admin })).text, await master.ok(['audit', '--json']), fs.readFileSync(master.log, 'utf8')].join('\n');
    assert.ok(text.includes('peer.token'), 'the right pages were looked at');
    for (const one of secrets) assert.ok(!text.includes(one), `a secret of ${one.length} characters`);
    // Typed into a form that comes back, they are not sent back either.
    const typed = await master.ask('POST', '/account', { cookie: admin, form: { action: 'password.change', current: 'segretissima-1', new: 'segretissima-2', again: 'segretissima-3' } });
    assert.equal(typed.status, 422);
    assert.doesNotMatch(typed.text, /segretissima/);
  });

  await t.check('a request too large or not to be read is answered, not suffered', async () => {
    const big = await master.ask('POST', '/licenza', { cookie: admin, form: { action: 'licence.load', text: 'x'.repeat(300_000) } }).catch((error) => ({ status: 413, cut: error }));
    assert.equal(big.status, 413);
    for (const [body, kind] of [['%zz%', 'application/x-www-form-urlencoded'], ['{}', 'application/json'], ['--x', 'multipart/form-data; boundary=y'], ['x', 'multipart/form-data']]) {
      const answer = await master.ask('POST', '/licenza', { cookie: admin, body, headers: { 'content-type': kind } });
      assert.ok(answer.status >= 400 && answer.status < 500, `${kind}: ${answer.status}`);
    }
    for (const method of ['PUT', 'DELETE', 'PATCH']) assert.equal((await master.ask(method, '/licenza', { cookie: admin })).status, 405, method);
  });

  await t.step('with event streams open the node stops in less than five seconds, and the session survives the restart', async () => {
    const page = await openAs(t, chromium, master, admin);
    const stream = page.waitForResponse((response) => new URL(response.url()).pathname === '/events');
    await page.goto('/');
    assert.equal((await stream).status(), 200);
    const ended = await master.stop();
    assert.deepEqual([ended.code, ended.signal], [0, null]);
    assert.ok(ended.seconds < 5, `${ended.seconds} s`);
    await page.getByText('collegamento con il pannello interrotto').waitFor();
    await master.start();
    assert.equal((await master.ask('GET', '/', { cookie: admin })).status, 200);
    await page.getByText('collegamento con il pannello interrotto').waitFor({ state: 'hidden' });
  });

  await t.step('a session that nobody used for half an hour has ended, and the login says so', async () => {
    const idle = await master.session();
    await master.stop();
    // Half an hour passes, on the disk.
    const ran = await run('sqlite3', ['-bail', path.join(master.data, 'tvox-dr.db'),
      "UPDATE session SET expires_at = CAST(strftime('%s', 'now') AS INTEGER) - 1"]);
    assert.equal(ran.code, 0, ran.err);
    await master.start();
    for (const cookie of [idle, admin]) {
      assert.equal((await master.ask('GET', '/events', { cookie })).status, 401);
      const answer = await master.ask('GET', '/', { cookie });
      assert.equal(answer.status, 303);
      assert.match(answer.headers.location, /ended=1/);
      assert.match((await master.ask('GET', answer.headers.location)).text, /La sessione è terminata/);
    }
  });

  await t.check('a session lasts half an hour from its last use', async () => {
    const answer = await master.ask('GET', '/', { cookie: await master.session() });
    const line = answer.headers['set-cookie'].find((one) => one.startsWith(master.cookieName));
    assert.equal(/Max-Age=(\d+)/i.exec(line)?.[1], '1800', 'each use begins it anew');
  });
});
