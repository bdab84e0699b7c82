// Whatever is typed wrong comes back: the same page, what was typed, a message beside the field in the reader's
// language, and nothing saved. Never an internal error.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { browser, openAs, posting, press } from '../lib/browser.mjs';
import { Machine, PASSWORD, run, strangers, Supplier } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

const LANGUAGES = ['it', 'en'];

await story(async (t) => {
  const { supplier, master, client } = await strangers(t);
  const chromium = await browser(t);
  const [admin, clientAdmin] = await Promise.all([master.settle(), client.settle()]);
  // The forms are the same with and without JavaScript; without, what the server drew is what is looked at.
  const m = await openAs(t, chromium, master, admin, { javaScript: false });
  const c = await openAs(t, chromium, client, clientAdmin, { javaScript: false });
  const speak = (page, lang) => page.context().addCookies([{ name: 'tvox-dr-lang', value: lang, url: page.machine.url }]);

  /** Fills one form as if the browser checked nothing, and sends it; answers the status. */
  async function send(page, target, action, fields) {
    await page.goto(target);
    return posting(page, () => page.evaluate(([action, fields]) => {
      const form = [...document.forms].find((one) => one.querySelector('input[name=action]')?.value === action
        && (fields.row === undefined || one.querySelector('[name=name]')?.value === fields.row));
      if (!form) throw new Error(`there is no form ${action} on this page`);
      form.noValidate = true;
      for (const [name, value] of Object.entries(fields)) {
        if (name === 'row') continue;
        const input = form.querySelector(`[name="${name}"]`);
        // A choice that is not in the list: somebody wrote the request by hand.
        if (input.tagName === 'SELECT') input.add(new Option(value, value));
        if (input.type === 'checkbox') input.checked = value === 'on';
        input.value = value;
      }
      form.requestSubmit([...form.elements].find((one) => one.matches('button:not([type=button])')));
    }, [action, fields]));
  }

  /** The sentence tied to a field for those who do not see. */
  async function beside(page, id) {
    const input = page.locator(`[id="${id}"]`);
    assert.equal(await input.getAttribute('aria-invalid'), 'true', `${id} is marked`);
    const ids = (await input.getAttribute('aria-describedby')).split(' ');
    const texts = [];
    for (const one of ids.filter((one) => one.endsWith('-error'))) texts.push(await page.locator(`[id="${one}"]`).innerText());
    return texts.join(' ');
  }

  const secret = (name) => ['password', 'current', 'new', 'again', 'token', 'secret'].includes(name);

  /** One wrong form in both languages. `wrong`: the field; `words`: what is said about it, Italian and English. */
  async function comesBack(page, { target, action, fields, wrong, words, state }) {
    const before = await page.machine.ok([...state, '--json']);
    for (const [index, lang] of LANGUAGES.entries()) {
      await speak(page, lang);
      assert.equal(await send(page, target, action, fields), 422, lang);
      assert.equal(new URL(page.url()).pathname, target.split('?')[0]);
      assert.equal(await page.locator('html').getAttribute('lang'), lang);
      const error = await beside(page, ['email', 'sms'].includes(wrong) ? wrong : `${action.replaceAll('.', '-')}-${wrong}${fields.row ? `-${fields.row}` : ''}`);
      assert.match(error, words[index], `${lang}: ${error}`);
      for (const [name, value] of Object.entries(fields)) {
        if (name === 'row') continue;
        const kept = await page.evaluate(([action, name, row]) => [...document.forms].find((one) => one.querySelector('input[name=action]')?.value === action
          && (!row || one.querySelector('[name=name]')?.value === row)).querySelector(`[name="${name}"]`).value, [action, name, fields.row]);
        // A choice that does not exist cannot be shown as chosen.
        if (!['kind', 'class', 'role', 'scope', 'security', 'method', 'language'].includes(name)) assert.equal(kept.replace(/\r\n/g, '\n'), secret(name) ? '' : value, `${lang}: ${name} is kept`);
      }
    }
    assert.equal(await page.machine.ok([...state, '--json']), before, 'nothing was saved');
  }

  /** One form that a guard refuses, in both languages. */
  async function refused(page, { target, action, fields, rule, words, state }) {
    const before = state && await page.machine.ok([...state, '--json']);
    for (const [index, lang] of LANGUAGES.entries()) {
      await speak(page, lang);
      assert.equal(await send(page, target, action, typeof fields === 'function' ? await fields() : fields), 422, lang);
      assert.equal(new URL(page.url()).pathname, target);
      const notice = page.locator(`[data-rule="${rule}"]`);
      assert.equal(await notice.count(), 1, `${lang}: ${(await page.locator('.notice').allInnerTexts()).join(' | ')}`);
      assert.match(await notice.innerText(), words[index]);
    }
    if (state) assert.equal(await page.machine.ok([...state, '--json']), before, 'nothing was saved');
  }

  const tree = path.join(t.root, 'tree');
  fs.mkdirSync(tree);
  const text = path.join(t.root, 'text');
  fs.writeFileSync(text, 'no database');

  // ---- before there is a licence -------------------------------------------------------------------------------------

  await t.check('without a licence no address is set and no data declared', async () => {
    const words = [/Manca una licenza con il modulo DISASTER_RECOVERY/, /no licence with the module DISASTER_RECOVERY/];
    await refused(m, { target: '/disaster-recovery', action: 'peer.set', fields: { address: '10.0.0.9' }, rule: 'licence.module', words, state: ['peer', 'show'] });
    assert.equal(await m.locator('#peer-set-address').inputValue(), '10.0.0.9', 'what was typed is kept');
    await refused(m, { target: '/dati', action: 'dataset.add', fields: { name: 'etc', source: tree }, rule: 'licence.module', words, state: ['dataset', 'list'] });
  });

  const good = await supplier.licence('master');
  const stranger = await Supplier.at(t.root, 'stranger');
  const forged = (() => {
    const bytes = fs.readFileSync(good);
    const at = Math.floor(bytes.length / 2);
    bytes[at] = bytes[at] === 65 ? 66 : 65;
    return bytes.toString();
  })();
  const read = async (file) => fs.readFileSync(await file, 'utf8');
  for (const [what, licence, words] of [
    ['with one character changed', forged, [/La licenza non è valida/, /The licence is not valid/]],
    ['of another supplier', await read(stranger.licence('master', 'theirs')), [/La licenza non è valida/, /The licence is not valid/]],
    ['that has expired', await read(supplier.licence('master', 'old', ['--expires', '2020-01-01'])), [/La licenza non è valida/, /The licence is not valid/]],
    ['of another machine', await read(supplier.licence('master', 'bound', ['--machine', '0123'])), [/La licenza non è valida/, /The licence is not valid/]],
    ['that is none', 'una riga di testo', [/La licenza non è valida/, /The licence is not valid/]],
  ]) {
    const reasons = [];
    await t.check(`a licence ${what} is refused, beside its field`, async () => {
      for (const [index, lang] of LANGUAGES.entries()) {
        await speak(m, lang);
        assert.equal(await send(m, '/licenza', 'licence.load', { text: licence }), 422);
        const notice = await m.locator('[data-rule="licence.invalid"]').innerText();
        assert.match(notice, words[index]);
        assert.match(await beside(m, 'licence-load-text'), words[index]);
        reasons.push(/: (.+)\./.exec(notice)?.[1]);
        assert.equal((await m.locator('#licence-load-text').inputValue()).trim(), licence.trim(), 'what was typed is kept');
      }
      assert.equal((await master.json(['licence', 'show'])).state, 'missing');
    });
    await t.check(`the reason why a licence ${what} is refused is told in the reader’s language`, () => assert.ok(reasons[0] !== reasons[1], `both say “${reasons[0]}”`));
  }

  await t.step('the right licence is taken', async () => {
    assert.equal(await send(m, '/licenza', 'licence.load', { text: fs.readFileSync(good, 'utf8') }), 303);
    await client.license();
  });

  // ---- fields --------------------------------------------------------------------------------------------------------

  const address = (typed, it, en) => [`the address “${typed}”`, m, { target: '/disaster-recovery', action: 'peer.set', fields: { address: typed }, wrong: 'address', words: [it, en], state: ['peer', 'show'] }];
  const onClient = (fields, wrong, it, en) => [`recipients ${JSON.stringify(fields)}`, c, { target: '/disaster-recovery', action: 'peer.set', fields: { address: '10.0.0.5', ...fields }, wrong, words: [it, en], state: ['peer', 'show'] }];
  const data = (fields, wrong, it, en) => [`data ${JSON.stringify(fields)}`.replaceAll(t.root, '…'), m, { target: '/dati', action: 'dataset.add',
    fields: { name: 'dati', kind: 'files', class: 'configuration', source: tree, target: '', excludes: '', ...fields }, wrong, words: [it, en], state: ['dataset', 'list'] }];
  const service = (fields, wrong, it, en) => [`a service ${JSON.stringify(fields)}`, m, { target: '/servizi', action: 'service.add',
    fields: { name: 'pbx', unit: '', start: 'true', stop: 'true', check: 'true', timeout: '', order: '', ...fields }, wrong, words: [it, en], state: ['service', 'list'] }];
  const user = (fields, wrong, it, en) => [`a user ${JSON.stringify(fields).replace(/x{9,}/, 'x…')}`, m, { target: '/utenti', action: 'user.add', fields: { name: 'carla', password: 'una password lunga', ...fields }, wrong, words: [it, en], state: ['user', 'list'] }];
  const password = (fields, wrong, it, en) => [`a password change with a wrong “${wrong}”`, m, { target: '/account', action: 'password.change',
    fields: { current: PASSWORD, new: 'la nuova password', again: 'la nuova password', ...fields }, wrong, words: [it, en], state: ['user', 'list'] }];
  const limit = (name, typed, it, en) => [`the limit ${name} “${typed}”`, m, { target: '/soglie', action: 'thresholds.set', fields: { 'peer.good': '7', [name]: typed }, wrong: name, words: [it, en], state: ['threshold', 'list'] }];
  const mail = (fields, wrong, it, en) => [`a mail server ${JSON.stringify(fields)}`, m, { target: '/smtp', action: 'smtp.set',
    fields: { server: 'mail.example.com', from: 'a@b.it', port: '587', security: 'starttls', ...fields }, wrong, words: [it, en], state: ['smtp', 'show'] }];
  const sms = (fields, wrong, it, en) => [`an SMS account ${JSON.stringify(fields)}`, c, { target: '/sms?new=1', action: 'sms.account.add',
    fields: { name: 'gateway', url: 'https://sms.example.com/', method: 'POST', body: '{text}', ...fields }, wrong, words: [it, en], state: ['sms', 'account', 'list'] }];
  const required = [/Campo obbligatorio/, /This field is required/];
  const noIp = [/Non è un indirizzo IP/, /Not an IP address/];
  const noName = [/Solo lettere minuscole/, /Only lower-case letters/];
  const broadcast = [/broadcast o multicast/, /broadcast or multicast/];
  const path_ = [/percorso completo/, /full path/];
  const short = [/Almeno 12 caratteri/, /At least 12 characters/];
  await master.ok(['user', 'add', 'presente', '--role', 'viewer'], { input: 'una password lunga' });
  await master.ok(['smtp', 'set', '--server', 'mail.example.com', '--security', 'tls', '--from', 'pbx@example.com']);
  await client.ok(['sms', 'account', 'add', 'preso', '--url', 'https://sms.example.com/{text}']);
  for (const [what, page, row] of [
    address('', ...required),
    address('dr.example.com', ...noIp),
    address('10.0.0.256', ...noIp),
    address('10.0.0.1:99999', ...noIp),
    address('10.0.0.1/24', ...noIp),
    address('<script>alert(1)</script>', ...noIp),
    address('0.0.0.0', /nessuna macchina/, /no machine's address/),
    address('::', /nessuna macchina/, /no machine's address/),
    address('255.255.255.255', ...broadcast),
    address('224.0.0.1', ...broadcast),
    address('10.0.0.1:0', /fra 1 e 65535/, /between 1 and 65535/),
    onClient({ address: '' }, 'address', ...required),
    onClient({ email: 'noc@example.com, nobody' }, 'email', /nobody: Non è un indirizzo e-mail valido/, /nobody: Not a valid e-mail address/),
    onClient({ email: 'a@b@c' }, 'email', /e-mail valido/, /valid e-mail/),
    onClient({ sms: '0612345678' }, 'sms', /Non è un numero di cellulare/, /Not a mobile number/),
    onClient({ sms: '3471234567, due' }, 'sms', /due: Non è un numero di cellulare/, /due: Not a mobile number/),
    data({ name: '' }, 'name', ...required),
    data({ name: 'Dati Miei' }, 'name', ...noName),
    data({ name: 'x'.repeat(64) }, 'name', ...noName),
    data({ kind: 'mysql' }, 'kind', /Valore non ammesso/, /Not a possible value/),
    data({ class: 'all' }, 'class', /Valore non ammesso/, /Not a possible value/),
    data({ source: '' }, 'source', ...required),
    data({ source: 'etc' }, 'source', ...path_),
    data({ source: `${tree}/../tree` }, 'source', ...path_),
    data({ source: '/no/such/path' }, 'source', /Il percorso non esiste/, /no such path/),
    data({ source: text }, 'source', /non è una cartella/, /not a directory/),
    data({ kind: 'sqlite', source: text }, 'source', /non è un database SQLite/, /not a SQLite database/),
    data({ source: master.data }, 'source', /dati propri di tvox-dr/, /tvox-dr's own data/),
    data({ target: '../x' }, 'target', ...path_),
    data({ excludes: 'a[' }, 'excludes', /modello di esclusione/, /exclude pattern/),
    service({ name: '' }, 'name', ...required),
    service({ name: 'Il PBX' }, 'name', ...noName),
    service({ check: '' }, 'check', ...required),
    service({ unit: 'kamailio.service' }, 'unit', /non entrambi/, /not both/),
    service({ unit: '../x', start: '', stop: '', check: '' }, 'unit', /unit systemd/, /systemd unit/),
    service({ timeout: '0' }, 'timeout', /fra 1 e 3600/, /between 1 and 3600/),
    service({ order: 'primo' }, 'order', /numero intero/, /whole number/),
    user({ name: '' }, 'name', ...required),
    user({ name: 'Mario Rossi' }, 'name', ...noName),
    user({ name: 'presente' }, 'name', /Già in uso/, /Already in use/),
    user({ role: 'root' }, 'role', /Valore non ammesso/, /Not a possible value/),
    user({ password: 'corta' }, 'password', ...short),
    user({ password: 'x'.repeat(257) }, 'password', /Al massimo 256 caratteri/, /At most 256 characters/),
    password({ current: 'sbagliata' }, 'current', /attuale non è corretta/, /current password is wrong/),
    password({ new: 'corta', again: 'corta' }, 'new', ...short),
    password({ again: 'un’altra cosa' }, 'again', /sono diverse/, /differ/),
    password({ new: PASSWORD, again: PASSWORD }, 'new', /deve essere diversa/, /must differ/),
    onClient({ language: 'fr' }, 'language', /Valore non ammesso/, /Not a possible value/),
    limit('peer.bad', '0', /fra 1 e 100/, /between 1 and 100/),
    limit('peer.bad', 'tre', /numero intero/, /whole number/),
    limit('disk.min_free_percent', '91', /fra 0 e 90/, /between 0 and 90/),
    mail({ server: '' }, 'server', ...required),
    mail({ server: 'mail example' }, 'server', /nome di server/, /server's name/),
    mail({ from: 'nobody' }, 'from', /e-mail valido/, /valid e-mail/),
    mail({ port: '99999' }, 'port', /fra 1 e 65535/, /between 1 and 65535/),
    mail({ security: 'ssl3' }, 'security', /Valore non ammesso/, /Not a possible value/),
    mail({ auth: 'on', user: '', password: 'segreta' }, 'user', ...required),
    mail({ auth: 'on', user: 'pbx', password: '' }, 'password', ...required),
    mail({ ca: 'niente' }, 'ca', /formato PEM/, /in PEM/),
    ['a test mail to nobody', m, { target: '/smtp', action: 'smtp.test', fields: { to: 'nobody' }, wrong: 'to', words: [/e-mail valido/, /valid e-mail/], state: ['smtp', 'show'] }],
    sms({ name: 'Il Mio' }, 'name', ...noName),
    sms({ name: 'preso' }, 'name', /Già in uso/, /Already in use/),
    sms({ url: 'ftp://sms.example.com/' }, 'url', /comincia con https/, /begins with https/),
    sms({ url: 'https://{to}/' }, 'url', /senza segnaposto/, /without a placeholder/),
    sms({ method: 'DELETE' }, 'method', /Valore non ammesso/, /Not a possible value/),
    sms({ headers: 'senza due punti' }, 'headers', /Nome: valore/, /Name: value/),
    sms({ body: '{to}' }, 'body', /Manca il segnaposto {text}/, /placeholder {text} is missing/),
    sms({ body: '{"text":{text}}' }, 'body', /JSON/, /JSON/),
    sms({ success_status: '299-200' }, 'success_status', /200-299/, /200-299/),
    sms({ success_body: '(' }, 'success_body', /espressione regolare/, /regular expression/),
    sms({ body: '{text}{secret}' }, 'secret', ...required),
    sms({ ca: 'niente' }, 'ca', /formato PEM/, /in PEM/),
    ['a test SMS to a fixed line', c, { target: '/sms', action: 'sms.test', fields: { to: '0612345678' }, wrong: 'to', words: [/numero di cellulare/, /mobile number/], state: ['sms', 'account', 'list'] }],
    ['another’s too short password', m, { target: '/utenti', action: 'user.password', fields: { row: 'presente', password: 'corta' }, wrong: 'password', words: short, state: ['user', 'list'] }],
    ['an empty licence', m, { target: '/licenza', action: 'licence.load', fields: { text: '' }, wrong: 'text', words: required, state: ['licence', 'show'] }],
  ]) {
    await t.check(`${what}: comes back with the reason beside the field, nothing saved`, () => comesBack(page, row));
  }

  // ---- guards --------------------------------------------------------------------------------------------------------

  await t.check('the machine’s own address is refused', () => refused(m, { target: '/disaster-recovery', action: 'peer.set', fields: { address: master.peer },
    rule: 'peer.own_address', words: [/è un indirizzo di questa macchina/, /is this machine's own address/], state: ['peer', 'show'] }));

  await t.check('no token is made before the address is set', () => refused(m, { target: '/disaster-recovery', action: 'peer.token', fields: {},
    rule: 'peer.unset', words: [/non è impostato/, /is not set/] }));

  await t.check('the last administrator stays, and the page says why', async () => {
    for (const [lang, words] of [['it', /ultimo amministratore/], ['en', /last administrator/]]) {
      await speak(m, lang);
      assert.equal(await send(m, '/utenti', 'user.remove', { row: 'admin' }), 422);
      assert.match(await m.locator('main').innerText(), words);
    }
    assert.equal((await master.json(['user', 'list'])).users.length, 2);
  });

  const join = { target: '/disaster-recovery', action: 'peer.join' };
  await t.check('a token is not asked for before the address is set', async () => {
    await refused(c, { ...join, fields: { token: 'TVOX' }, rule: 'peer.unset', words: [/non è impostato/, /is not set/] });
  });

  await t.step('the addresses are set', async () => {
    await master.ok(['peer', 'set', client.peer]);
    await client.ok(['peer', 'set', master.peer]);
  });

  const token = async () => (await master.json(['peer', 'token'])).token;
  await t.check('nonsense, a shortened token and one that a newer replaced are no tokens', async () => {
    const stale = await token();
    const fresh = await token();
    const words = [/codice di associazione non è valido/, /join token is not valid/];
    for (const typed of ['niente', 'TVOX-DR-JOIN-1.abc.def', fresh.slice(0, -4), stale]) {
      await refused(c, { ...join, fields: { token: typed }, rule: 'token.invalid', words });
      assert.equal(await c.locator('#peer-join-token').inputValue(), '', 'a secret is not sent back');
    }
  });

  await t.check('an empty token is a field that is missing', async () => {
    for (const [lang, words] of [['it', required[0]], ['en', required[1]]]) {
      await speak(c, lang);
      assert.equal(await send(c, join.target, join.action, { token: '' }), 422);
      assert.match(await beside(c, 'peer-join-token'), words);
    }
  });

  await t.step('a token is refused after its fifteen minutes', async () => {
    const late = await token();
    await master.stop();
    // Fifteen minutes pass, on the Master's disk.
    await sql(master, "UPDATE join_token SET expires_at = '2020-01-01T00:00:00Z'");
    await master.start();
    await refused(c, { ...join, fields: { token: late }, rule: 'token.expired', words: [/è scaduto/, /has expired/] });
  });

  await t.step('a token works once: the second Client that brings it is refused', async () => {
    const once = await token();
    await speak(c, 'it');
    assert.equal(await send(c, join.target, join.action, { token: once }), 303);
    await until('both know', async () => (await master.json(['status'])).pair.associated);
    const second = await Machine.init(t, supplier, 'client', 'dr2');
    await second.start();
    const cookie = await second.settle();
    await second.license();
    await second.ok(['peer', 'set', master.peer]);
    const page = await openAs(t, chromium, second, cookie, { javaScript: false });
    const again = await client.ask('POST', join.target, { cookie: clientAdmin, form: { action: join.action, token: once } });
    assert.equal(again.status, 422);
    assert.match(again.text, /data-rule="token\.used"/);
    await refused(page, { ...join, fields: async () => ({ token: await token() }), rule: 'pair.already_associated', words: [/già associato a dr1/, /already associated with dr1/] });
    await second.kill();
    assert.equal((await client.json(['status'])).pair.associated, true, 'the real pair is untouched');
  });

  await t.check('data whose name or place on the Client is taken is refused', async () => {
    await master.ok(['dataset', 'add', 'preso', '--kind', 'files', '--source', tree, '--target', path.join(t.root, 'there')]);
    await until('it is read', async () => (await master.json(['dataset', 'list'])).datasets.every(({ problem }) => problem === null));
    const row = (fields, wrong) => data({ ...fields }, wrong, /Già in uso/, /Already in use/)[2];
    await comesBack(m, row({ name: 'preso', target: path.join(t.root, 'elsewhere') }, 'name'));
    await comesBack(m, row({ name: 'altro', target: path.join(t.root, 'there/inside') }, 'target'));
  });

  await t.check('a choice that does not exist is a wrong field, not an accident', async () => {
    for (const lang of LANGUAGES) {
      await speak(c, lang);
      assert.equal(await send(c, '/replicazione', 'sync.full', { scope: 'half' }), 422);
      assert.match(await c.locator('main').innerText(), lang === 'it' ? /Valore non ammesso/ : /Not a possible value/);
      assert.equal(await send(c, '/replicazione', 'sync.stop', { only: 'disk' }), 422);
      assert.match(await c.locator('main').innerText(), lang === 'it' ? /Valore non ammesso/ : /Not a possible value/);
    }
    for (const pause of ['2', 'presto', '31d']) {
      const answer = await client.ask('POST', '/replicazione', { cookie: clientAdmin, form: { action: 'sync.stop', only: 'files', pause } });
      assert.equal(answer.status, 422, pause);
    }
    assert.deepEqual((await client.json(['status'])).sync, { database: 'on', files: 'on', until: { database: null, files: null } });
  });

  // ---- roles ---------------------------------------------------------------------------------------------------------

  const forms = {
    master: { '/licenza': ['licence.load', 'licence.remove'], '/disaster-recovery': ['peer.set', 'peer.token', 'peer.forget'],
      '/dati': ['dataset.add', 'dataset.remove'], '/servizi': ['service.add', 'service.remove'], '/utenti': ['user.add', 'user.password', 'user.remove'] },
    client: { '/licenza': ['licence.load', 'licence.remove'], '/disaster-recovery': ['peer.set', 'peer.join', 'peer.forget'],
      '/servizi': ['service.add', 'service.remove'], '/utenti': ['user.add', 'user.password', 'user.remove'],
      '/replicazione': ['sync.scrub.set', 'sync.retention.set', 'sync.lag_limit.set', 'sync.lag_limit.reset'] },
  };
  const sync = ['sync.start', 'sync.stop', 'sync.full', 'sync.verify', 'sync.cancel'];
  const replication = { '/replicazione': [...sync, ...forms.client['/replicazione']] };
  const filled = { name: 'preso', address: '10.9.9.9', text: 'x', token: 'x', role: 'admin', password: 'una password lunga', kind: 'files', class: 'history', source: '/etc', target: '', scope: 'all' };
  const post = (machine, cookie, target, action, more = {}) => machine.ask('POST', target, { cookie, form: { ...filled, action, ...more } });

  for (const role of ['viewer', 'operator']) {
    await t.check(`${role === 'viewer' ? 'a viewer changes nothing' : 'an operator changes no setting'}: the forms are not drawn, and posting them is refused`, async () => {
      for (const machine of [master, client]) {
        const cookie = await machine.user(`un-${role}`, role);
        const settings = async () => [(await machine.json(['peer', 'show'])).address, (await machine.json(['status'])).pair.associated,
          (await machine.json(['user', 'list'])).users, await machine.json(['licence', 'show'])];
        const before = await settings();
        const all = { ...forms[machine.role], ...(machine === client && role === 'viewer' ? replication : {}) };
        for (const [target, actions] of Object.entries(all)) {
          const page = await machine.ask('GET', target, { cookie });
          assert.equal(page.status, 200, target);
          for (const action of actions) {
            const answer = await post(machine, cookie, target, action);
            assert.equal(answer.status, 403, `${role} ${action} on ${machine.name}`);
            assert.match(answer.text, /permission\.denied/);
            if (action !== 'peer.set') assert.ok(!page.text.includes(`value="${action}"`), `${action} is not drawn for a ${role}`);
          }
        }
        assert.deepEqual(await settings(), before);
      }
    });
  }

  await t.check('an operator stops and starts replication', async () => {
    const cookie = await client.session('un-operator', PASSWORD);
    for (const [action, word] of [['sync.stop', 'off'], ['sync.start', 'on']]) {
      assert.equal((await post(client, cookie, '/replicazione', action, { only: 'files' })).status, 303);
      assert.equal((await client.json(['status'])).sync.files, word);
    }
  });

  // ---- whatever else -------------------------------------------------------------------------------------------------

  await t.check('no form, filled with anything at all, is an internal error', async () => {
    const hostile = ['', ' ', '\0', '\n\n', '‮\u{1f4a5}è', '<script>alert(1)</script>', "' OR 1=1 --", '../../etc/passwd', 'x'.repeat(5000), '-1', '%00', '\uFEFF'];
    const names = Object.keys(filled);
    const bare = ['licence.remove', 'peer.token', 'peer.forget', 'sync.start', 'sync.stop', 'sync.verify', 'sync.full'];
    const cookies = { master: admin, client: clientAdmin };
    for (const machine of [master, client]) {
      const all = { ...forms[machine.role], '/account': ['password.change'], ...(machine === client ? replication : {}) };
      for (const [target, actions] of Object.entries(all)) {
        for (const action of actions) {
          for (const value of hostile) {
            const form = { ...Object.fromEntries([...names, 'email', 'sms', 'excludes', 'current', 'new', 'again', 'only', 'every', 'newest', 'minutes', 'hours', 'days', 'dataset', 'soft', 'hard'].map((name) => [name, value])), action };
            if (bare.includes(action)) form.only = `${value}?`;
            if (['licence.remove', 'peer.token', 'peer.forget'].includes(action)) continue;
            const answer = await machine.ask('POST', target, { cookie: cookies[machine.role], form });
            assert.equal(answer.status, 422, `${action} with ${JSON.stringify(value.slice(0, 30))}: ${answer.status}`);
            assert.doesNotMatch(answer.text, /<script>alert/);
          }
          assert.equal((await machine.ask('POST', target, { cookie: cookies[machine.role], form: { action } })).status < 500, true, `${action} with nothing`);
        }
        for (const action of ['', 'no.such', 'licence.load\0']) {
          assert.ok([400, 422].includes((await machine.ask('POST', target, { cookie: cookies[machine.role], form: { action } })).status), `${target} ${action}`);
        }
      }
      for (const odd of ['/registro?upto=abc', '/registro?upto=-1', '/registro?upto=99999999999999999999', '/registro?verify=%00', '/?refresh=0', '/%00', '/..%2f..%2fetc/passwd', '/assets/../../etc/passwd', '/assets/x/%2e%2e/x']) {
        const answer = await machine.ask('GET', odd, { cookie: cookies[machine.role] });
        assert.ok(answer.status < 500, `${odd}: ${answer.status}`);
      }
    }
    for (const machine of [master, client]) assert.doesNotMatch(fs.readFileSync(machine.log, 'utf8'), /panicked|a page cannot be shown/);
  });

  // ---- the login -----------------------------------------------------------------------------------------------------

  await t.check('a wrong login says so beside both fields and not which of them was wrong', async () => {
    const page = await openAs(t, chromium, client, 'tvox-dr-lang=it', { javaScript: false });
    for (const [lang, words] of [['it', 'Nome utente o password non corretti.'], ['en', 'Wrong user name or password.']]) {
      for (const name of ['un-viewer', 'nessuno', "x' OR 1=1"]) {
        await speak(page, lang);
        await page.goto('/login?next=/registro');
        await page.locator('#name').fill(name);
        await page.locator('#password').fill('sbagliata sbagliata');
        assert.equal(await press(page, page.locator('form[action="/login"] button')), 422);
        assert.equal(await page.locator('#login-error').innerText(), words);
        assert.equal(await page.locator('#name').inputValue(), name);
        assert.equal(await page.locator('#password').inputValue(), '');
        for (const id of ['name', 'password']) assert.equal(await page.locator(`#${id}`).getAttribute('aria-describedby'), 'login-error');
        assert.equal(await page.locator('main input[name=next]').inputValue(), '/registro', 'where the reader was going is kept');
      }
    }
    await page.context().close();
  });

  await t.check('who guesses passwords is made to wait; the administrator at another address is not', async () => {
    const guess = (from) => master.ask('POST', '/login', { form: { name: 'admin', password: 'tentativo a caso' }, from });
    let last;
    for (let n = 0; n < 8 && last?.status !== 429; n += 1) last = await guess();
    assert.equal(last.status, 429);
    assert.ok(Number(last.headers['retry-after']) >= 1);
    assert.match(last.text, /Troppi tentativi non riusciti. Riprovare fra/);
    const right = await master.ask('POST', '/login', { form: { name: 'admin', password: PASSWORD } });
    assert.equal(right.status, 429, 'during the wait not even the right password is looked at');
    const elsewhere = await master.ask('POST', '/login', { form: { name: 'admin', password: PASSWORD }, from: '127.0.0.2' });
    assert.equal(elsewhere.status, 303);
    assert.equal((await master.ask('GET', '/', { cookie: admin })).status, 200, 'and who is in stays in');
    const waited = await until('the wait is over', async () => (await master.ask('POST', '/login', { form: { name: 'admin', password: PASSWORD } })).status === 303, { every: 500 });
    assert.ok(waited);
  });
});

/** Changes what a machine that is not running has on its disk. */
async function sql(machine, text) {
  const ran = await run('sqlite3', ['-bail', path.join(machine.data, 'tvox-dr.db'), text]);
  assert.equal(ran.code, 0, ran.err);
}
