// From two machines just installed to a pair with data flowing, in the browser, with JavaScript: what changes on one
// machine is seen on the other's page without loading it again.
// timeout: 240
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { assertNotReloaded, browser, button, complaints, field, firstLogin, go, mark, open, press, said, shows } from '../lib/browser.mjs';
import { strangers } from '../lib/machine.mjs';
import { inventory, Pbx } from '../lib/pbx.mjs';
import { story, until } from '../lib/story.mjs';

const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) }).first();
const badge = (page, text) => page.locator('.pair .badge', { hasText: text });
const group = (page, name) => page.locator('.switch-row', { hasText: name });

await story(async (t) => {
  const { supplier, master, client } = await strangers(t);
  const pbx = await Pbx.at(t.root, { prompts: 4 });
  pbx.startWriting(t);
  const chromium = await browser(t);
  const m = await open(t, chromium, master);
  const c = await open(t, chromium, client);
  // Every word that a switch has shown since the page was loaded, however shortly.
  await c.addInitScript(() => {
    window.switchShown = {};
    new MutationObserver(() => {
      for (const row of document.querySelectorAll('.switch-row')) {
        const [name, word] = [row.children[0]?.textContent, row.children[1]?.textContent];
        if (word && window.switchShown[name]?.at(-1) !== word) (window.switchShown[name] ??= []).push(word);
      }
    }).observe(document, { subtree: true, childList: true, characterData: true });
  });
  for (const page of [m, c]) await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: page.machine.url });

  await t.step('the random first password must be changed before anything else, on both machines', async () => {
    await firstLogin(m);
    await firstLogin(c);
  });

  await t.step('the home page says what to do first, and leads there', async () => {
    for (const page of [m, c]) {
      await page.getByRole('listitem').filter({ hasText: 'da fare ora' }).getByRole('link').click();
      assert.equal(new URL(page.url()).pathname, '/licenza');
    }
  });

  await t.step('a licence is loaded as a file or as pasted text', async () => {
    await m.locator('input[type=file]').setInputFiles(await supplier.licence('master'));
    assert.equal(await press(m, button(m, 'Carica Licenza')), 303);
    await field(c, 'oppure il suo testo').fill(fs.readFileSync(await supplier.licence('client'), 'utf8'));
    assert.equal(await press(c, button(c, 'Carica Licenza')), 303);
    for (const page of [m, c]) {
      await said(page, 'Licenza caricata.');
      await page.locator('.badge.good', { hasText: 'ATTIVA' }).waitFor();
    }
  });

  await t.step('the Master is given the Client’s address and makes a join token', async () => {
    await go(m, 'Disaster Recovery');
    await field(m, 'Indirizzo IP').fill(client.peer);
    assert.equal(await press(m, button(m, 'Salva')), 303);
    await said(m, 'Impostazioni salvate.');
    assert.equal(await field(m, 'Indirizzo IP').inputValue(), client.peer);
    assert.equal(await press(m, button(m, 'Crea codice di associazione')), 303);
    await button(m, 'Copia').click();
    await m.getByText('Copiato').waitFor();
  });

  await t.step('the Client is given the Master’s address and its recipients, one chip each', async () => {
    await go(c, 'Disaster Recovery');
    await field(c, 'Indirizzo IP Master').fill(master.peer);
    const add = (name) => field(c, `${name}: aggiungi`);
    await add('Email destinatari allarmi').pressSequentially('nobody');
    await add('Email destinatari allarmi').press('Enter');
    await c.getByText('Non è un indirizzo e-mail valido').waitFor();
    await add('Email destinatari allarmi').fill('');
    for (const one of ['noc@example.com', 'sala@example.com']) {
      await add('Email destinatari allarmi').pressSequentially(one);
      await add('Email destinatari allarmi').press(one.startsWith('noc') ? 'Enter' : ',');
      await c.locator('.chip', { hasText: one }).waitFor();
    }
    await button(c, 'Togli sala@example.com').click();
    // Typed and not yet a chip: saving takes it too.
    await add('SMS destinatari allarmi').fill('347 123 45 67');
    assert.equal(await press(c, button(c, 'Salva')), 303);
    await said(c, 'Impostazioni salvate.');
    assert.deepEqual((await c.locator('.chip > span').allTextContents()).map((s) => s.trim()), ['noc@example.com', '+393471234567']);
    assert.equal(await field(c, 'Indirizzo IP Master').inputValue(), master.peer);
  });

  await t.step('the token is pasted on the Client, and both pages turn green; the Master’s without being loaded again', async () => {
    await badge(m, 'Non associato').waitFor();
    await mark(m);
    await field(c, 'Codice di associazione').focus();
    await c.keyboard.press('Control+V');
    assert.equal(await press(c, button(c, 'Associa')), 303);
    await said(c, 'Le due macchine sono associate.');
    await shows(m, 'associated, green', m.locator('.pair .badge.good', { hasText: 'Associato a dr1' }));
    await shows(c, 'associated, green', c.locator('.pair .badge.good', { hasText: 'Associato a master1' }));
    await shows(m, 'the address answers', m.getByText(`${client.peer}: risponde`));
    await assertNotReloaded(m);
  });

  await t.step('the bandwidth is limited on the page', async () => {
    await go(c, 'Replicazione');
    await field(c, 'Limite generale').fill('24 Mbit/s');
    assert.equal(await press(c, button(c, 'Salva la banda')), 303);
    await said(c, 'Banda salvata.');
    await c.getByText('In questo momento: 24 Mbit/s.').waitFor();
  });

  await t.step('a file tree and a database that is being written are declared, and the first copy is watched live', async () => {
    await mark(c);
    // Whatever a progress bar says, however shortly: with that limit the first copy takes a few seconds.
    await c.evaluate(() => {
      window.progressSeen = [];
      new MutationObserver(() => {
        for (const bar of document.querySelectorAll('tr progress[value]')) window.progressSeen.push(Number(bar.value));
      }).observe(document.body, { subtree: true, childList: true, attributes: true });
    });
    await go(m, 'Dati da replicare');
    const declare = async (name, kind, source, target) => {
      await field(m, 'Nome').fill(name);
      await field(m, 'Tipo').selectOption(kind);
      await field(m, 'Percorso sul Master').fill(source);
      await field(m, 'Percorso sul DR Client').fill(target);
      assert.equal(await press(m, button(m, 'Aggiungi')), 303);
      await said(m, 'Dati aggiunti alla replica.');
      await row(m, name).waitFor();
    };
    await declare('prompts', 'files', pbx.sounds, pbx.target('sounds'));
    await declare('conf', 'files', pbx.etc, pbx.target('etc'));
    await declare('calls', 'sqlite', pbx.database, pbx.target('kamailio.sqlite'));
    await m.getByText('Spazio necessario sul DR:').waitFor();
    for (const name of ['prompts', 'conf', 'calls']) {
      await shows(c, `${name} is up to date`, row(c, name).locator('.badge.good', { hasText: 'Aggiornato' }), { within: 60_000 });
    }
    const seen = await c.evaluate(() => window.progressSeen);
    assert.ok(new Set(seen.filter((value) => value > 0 && value < 1)).size >= 2, `progress was shown while it was copied: ${seen}`);
    for (const name of ['Database', 'File di sistema']) {
      await group(c, name).locator('.on', { hasText: 'ON' }).waitFor();
      await group(c, name).getByText(/ritardo/).waitFor();
    }
    await assertNotReloaded(c);
    assert.deepEqual(inventory(pbx.target('sounds')), inventory(pbx.sounds));
    assert.deepEqual(inventory(pbx.target('etc')), inventory(pbx.etc));
  });

  await t.step('the limit is taken away again', async () => {
    await field(c, 'Limite generale').fill('');
    assert.equal(await press(c, button(c, 'Salva la banda')), 303);
    await said(c, 'Banda salvata.');
    await c.getByText('In questo momento: nessun limite.').waitFor();
    await mark(c);
  });

  await t.step('the header of both says that the replica is up to date', async () => {
    for (const page of [m, c]) await shows(page, 'up to date', page.locator('.headline.good', { hasText: /replica (aggiornata|in aggiornamento)/ }));
  });

  const big = path.join(pbx.etc, 'kamailio/dialplan.cfg');
  const copied = path.join(pbx.target('etc'), 'kamailio/dialplan.cfg');
  const write = (version) => {
    fs.writeFileSync(`${big}.new`, `route[${version}]\n`.repeat(20_000));
    fs.renameSync(`${big}.new`, big);
  };
  // What a reader on the Client finds: one version, whole.
  const version = () => {
    if (!fs.existsSync(copied)) return null;
    const lines = fs.readFileSync(copied, 'utf8').trimEnd().split('\n');
    assert.ok(lines.length === 20_000 && lines.every((line) => line === lines[0]), 'half a file is visible');
    return lines[0];
  };

  await t.step('a file and a row changed on the Master are on the Client within seconds, and never half', async () => {
    const started = Date.now();
    write('one');
    await pbx.call('call-one');
    await until('the file is there', () => version() === 'route[one]', { every: 20 });
    await until('the row is there', () => pbx.copyHasCall('kamailio.sqlite', 'call-one'));
    assert.ok(Date.now() - started < 10_000, `within seconds: ${Date.now() - started} ms`);
    await assertNotReloaded(c);
  });

  await t.step('the Client killed outright comes back: same session, same page, and what it missed arrives', async () => {
    await client.kill();
    await shows(c, 'the panel is gone', c.getByText('collegamento con il pannello interrotto'));
    await shows(m, 'the Client is unreachable', m.locator('.headline.warn', { hasText: 'DR Client non raggiungibile' }));
    assert.equal(version(), 'route[one]', 'the copy can be read without the process');
    write('two');
    await pbx.call('call-two');
    await client.start();
    await until('the file arrives', () => version() === 'route[two]');
    await until('the row arrives', () => pbx.copyHasCall('kamailio.sqlite', 'call-two'));
    await c.getByText('collegamento con il pannello interrotto').waitFor({ state: 'hidden' });
    await assertNotReloaded(c);
    await c.reload();
    assert.equal(new URL(c.url()).pathname, '/replicazione', 'still logged in');
  });

  await t.step('the Master killed outright is said not to answer, until it is back', async () => {
    await go(c, 'Disaster Recovery');
    await mark(c);
    await master.kill();
    await shows(c, 'it does not answer', badge(c, 'Associato a master1, che ora non risponde'));
    await shows(c, 'the header says so', c.locator('.headline.bad', { hasText: 'Master non raggiungibile' }));
    write('three');
    await pbx.call('call-three');
    await master.start();
    await shows(c, 'it answers again', c.locator('.pair .badge.good', { hasText: 'Associato a master1' }));
    await until('the file arrives', () => version() === 'route[three]');
    await until('the row arrives', () => pbx.copyHasCall('kamailio.sqlite', 'call-three'));
    await assertNotReloaded(c);
  });

  await t.step('STOP halts one row and not the other; START catches up', async () => {
    await go(c, 'Replicazione');
    assert.equal(await press(c, button(c, 'STOP File di sistema')), 303);
    await said(c, 'Replicazione fermata.');
    await group(c, 'File di sistema').locator('.off', { hasText: 'OFF' }).waitFor();
    await group(c, 'Database').locator('.on', { hasText: 'ON' }).waitFor();
    await shows(c, 'conf is stopped', row(c, 'conf').locator('.badge', { hasText: 'Fermo' }));
    assert.deepEqual(await c.evaluate(() => window.switchShown), { Database: ['ON'], 'File di sistema': ['OFF'] }, 'what was done is not taken back, not even for a moment');
    write('four');
    await pbx.call('call-four');
    await until('the database goes on', () => pbx.copyHasCall('kamailio.sqlite', 'call-four'));
    await pbx.stopWriting();
    await c.locator('button', { hasText: 'VERIFICA' }).click();
    await shows(c, 'the difference is found', c.locator('.differences code', { hasText: 'conf/kamailio/dialplan.cfg' }));
    assert.equal(version(), 'route[three]', 'the files have not moved');
    assert.equal(await press(c, button(c, 'START File di sistema')), 303);
    await until('the file arrives', () => version() === 'route[four]');
    await shows(c, 'conf is up to date', row(c, 'conf').locator('.badge.good', { hasText: 'Aggiornato' }));
  });

  await t.step('a forced sync heals a damaged copy and tells what it does on the console', async () => {
    fs.writeFileSync(fs.realpathSync(copied), 'damaged');
    await go(c, 'Replicazione');
    await field(c, 'Replicazione').selectOption('all');
    assert.equal(await press(c, button(c, 'START')), 303);
    await said(c, 'Sincronizzazione avviata.');
    const console_ = c.getByRole('log');
    await shows(c, 'it has ended', console_.getByText('Sincronizzazione completata'), { within: 60_000 });
    await shows(c, 'it could be started again', button(c, 'START').and(c.locator(':enabled')));
    assert.equal(version(), 'route[four]', 'the damage is healed');
    const told = (await console_.locator('p').allTextContents()).join('\n');
    for (const word of [/Controllo versione/, /conf: generazione \d+ completa/]) assert.match(told, word);
  });

  await t.step('a verification finds no difference', async () => {
    assert.equal(await press(c, button(c, 'VERIFICA')), 303);
    await shows(c, 'no difference', c.locator('.badge.good', { hasText: 'Nessuna differenza' }), { within: 60_000 });
  });

  await t.step('no page complained in the browser’s console', () => assert.deepEqual([...complaints(m), ...complaints(c)], []));
});
