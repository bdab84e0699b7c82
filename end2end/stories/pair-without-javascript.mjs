// From two machines just installed to a pair with data flowing, in the browser, without JavaScript: plain forms, the
// link *Aggiorna*, and nothing missing.
// timeout: 240
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { browser, button, complaints, field, firstLogin, go, open, press, said, shows } from '../lib/browser.mjs';
import { strangers } from '../lib/machine.mjs';
import { inventory, Pbx } from '../lib/pbx.mjs';
import { story, until } from '../lib/story.mjs';

const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) }).first();
const group = (page, name) => page.locator('.switch-row', { hasText: name });

await story(async (t) => {
  const { supplier, master, client } = await strangers(t);
  const pbx = await Pbx.at(t.root);
  pbx.startWriting(t);
  const chromium = await browser(t);
  const m = await open(t, chromium, master, { javaScript: false });
  const c = await open(t, chromium, client, { javaScript: false });

  await t.step('the random first password must be changed before anything else, on both machines', async () => {
    await firstLogin(m);
    await firstLogin(c);
  });

  await t.step('nothing that needs JavaScript is in the way, and the page says how it is refreshed', async () => {
    for (const page of [m, c]) {
      await page.locator('.no-script').waitFor();
      assert.match(await page.locator('.no-script').textContent(), /Senza JavaScript la pagina non si aggiorna da sola/);
      assert.equal(await page.getByPlaceholder('Cerca tra i menù').isVisible(), false);
    }
  });

  await t.step('the page loads itself again where it is asked to, and only where nobody types', async () => {
    const refresh = async (target) => (await m.goto(target)).headers().refresh;
    assert.equal(await refresh('/?refresh=5'), '5');
    assert.equal(await refresh('/'), undefined);
    assert.equal(await refresh('/disaster-recovery?refresh=5'), undefined);
  });

  await t.step('a licence is loaded as a file or as pasted text', async () => {
    await go(m, 'Licenza');
    await go(c, 'Licenza');
    await m.locator('input[type=file]').setInputFiles(await supplier.licence('master'));
    assert.equal(await press(m, button(m, 'Carica Licenza')), 303);
    await field(c, 'oppure il suo testo').fill(fs.readFileSync(await supplier.licence('client'), 'utf8'));
    assert.equal(await press(c, button(c, 'Carica Licenza')), 303);
    for (const page of [m, c]) await page.locator('.badge.good', { hasText: 'ATTIVA' }).waitFor();
  });

  const token = await t.step('the Master is given the Client’s address and makes a join token, shown once', async () => {
    await go(m, 'Disaster Recovery');
    await field(m, 'Indirizzo IP').fill(client.peer);
    assert.equal(await press(m, button(m, 'Salva')), 303);
    await said(m, 'Impostazioni salvate.');
    assert.equal(await press(m, button(m, 'Crea codice di associazione')), 303);
    assert.equal(await button(m, 'Copia').isVisible(), false, 'no button that cannot work');
    const text = (await m.locator('#join-token').textContent()).trim();
    await m.reload();
    assert.ok(!(await m.content()).includes(text), 'once');
    return text;
  });

  await t.step('the Client is given the Master’s address and its recipients, in one field with commas', async () => {
    await go(c, 'Disaster Recovery');
    await field(c, 'Indirizzo IP Master').fill(master.peer);
    await field(c, 'Email destinatari allarmi').fill('noc@example.com, nobody');
    await field(c, 'SMS destinatari allarmi').fill('347 1234567');
    assert.equal(await press(c, button(c, 'Salva')), 422);
    await c.locator('#email-error', { hasText: 'nobody' }).waitFor();
    assert.equal(await field(c, 'Email destinatari allarmi').inputValue(), 'noc@example.com, nobody', 'what was typed is kept');
    assert.equal(await field(c, 'Indirizzo IP Master').inputValue(), master.peer);
    await field(c, 'Email destinatari allarmi').fill('noc@example.com, sala@example.com');
    await field(c, 'SMS destinatari allarmi').fill('3471234567; +393471234568');
    assert.equal(await press(c, button(c, 'Salva')), 303);
    await said(c, 'Impostazioni salvate.');
    assert.equal(await field(c, 'Email destinatari allarmi').inputValue(), 'noc@example.com, sala@example.com');
    assert.equal(await field(c, 'SMS destinatari allarmi').inputValue(), '+393471234567, +393471234568');
  });

  await t.step('the token is pasted on the Client, and both pages turn green', async () => {
    await field(c, 'Codice di associazione').fill(token);
    assert.equal(await press(c, button(c, 'Associa')), 303);
    await said(c, 'Le due macchine sono associate.');
    for (const [page, name] of [[m, 'dr1'], [c, 'master1']]) {
      await shows(page, 'associated, green', page.locator('.pair .badge.good', { hasText: `Associato a ${name}` }));
    }
  });

  await t.step('a file tree and a database that is being written are declared, and are copied', async () => {
    await go(m, 'Dati da replicare');
    for (const [name, kind, source, target] of [
      ['prompts', 'files', pbx.sounds, 'sounds'],
      ['conf', 'files', pbx.etc, 'etc'],
      ['calls', 'sqlite', pbx.database, 'kamailio.sqlite'],
    ]) {
      await field(m, 'Nome').fill(name);
      await field(m, 'Tipo').selectOption(kind);
      await field(m, 'Percorso sul Master').fill(source);
      await field(m, 'Percorso sul DR Client').fill(pbx.target(target));
      assert.equal(await press(m, button(m, 'Aggiungi')), 303);
      await row(m, name).waitFor();
    }
    await go(c, 'Replicazione');
    for (const name of ['prompts', 'conf', 'calls']) {
      await shows(c, `${name} is up to date`, row(c, name).locator('.badge.good', { hasText: 'Aggiornato' }), { within: 60_000 });
    }
    for (const name of ['Database', 'File di sistema']) {
      await group(c, name).locator('.on', { hasText: 'ON' }).waitFor();
      await group(c, name).getByText(/ritardo/).waitFor();
    }
    assert.deepEqual(inventory(pbx.target('sounds')), inventory(pbx.sounds));
  });

  await t.step('a file and a row changed on the Master are on the Client within seconds', async () => {
    fs.appendFileSync(path.join(pbx.etc, 'kamailio/kamailio.cfg'), '# changed\n');
    await pbx.call('call-one');
    await until('the file is there', () => fs.readFileSync(path.join(pbx.target('etc'), 'kamailio/kamailio.cfg'), 'utf8').endsWith('# changed\n'), { within: 10_000 });
    await until('the row is there', () => pbx.copyHasCall('kamailio.sqlite', 'call-one'), { within: 10_000 });
  });

  await t.step('the Client killed outright comes back: same session, and what it missed arrives', async () => {
    await client.kill();
    await go(m, 'Panorama');
    await shows(m, 'the Client does not answer', m.locator('.pair .badge', { hasText: 'Associato a dr1, che ora non risponde' }));
    await pbx.call('call-two');
    await client.start();
    await until('the row arrives', () => pbx.copyHasCall('kamailio.sqlite', 'call-two'));
    await c.reload();
    assert.equal(new URL(c.url()).pathname, '/replicazione', 'still logged in');
  });

  await t.step('the Master killed outright is said not to answer, until it is back', async () => {
    await go(c, 'Panorama');
    await master.kill();
    await shows(c, 'it does not answer', c.locator('.pair .badge', { hasText: 'Associato a master1, che ora non risponde' }));
    await shows(c, 'the header says so', c.locator('.headline.bad', { hasText: 'Master non raggiungibile' }));
    await master.start();
    await shows(c, 'it answers again', c.locator('.pair .badge.good', { hasText: 'Associato a master1' }));
  });

  await t.step('STOP halts one row; START catches up', async () => {
    await go(c, 'Replicazione');
    assert.equal(await press(c, button(c, 'STOP Database')), 303);
    await group(c, 'Database').locator('.off', { hasText: 'OFF' }).waitFor();
    await group(c, 'File di sistema').locator('.on', { hasText: 'ON' }).waitFor();
    await shows(c, 'calls is stopped', row(c, 'calls').locator('.badge', { hasText: 'Fermo' }));
    await pbx.call('call-three');
    // Once the files have moved on, the database could have.
    fs.appendFileSync(path.join(pbx.etc, 'kamailio/kamailio.cfg'), '# again\n');
    await until('the file is there', () => fs.readFileSync(path.join(pbx.target('etc'), 'kamailio/kamailio.cfg'), 'utf8').endsWith('# again\n'));
    assert.equal(await pbx.copyHasCall('kamailio.sqlite', 'call-three'), false);
    assert.equal(await press(c, button(c, 'START Database')), 303);
    await until('the row arrives', () => pbx.copyHasCall('kamailio.sqlite', 'call-three'));
    await pbx.stopWriting();
  });

  await t.step('a forced sync shows its progress and its console, and a verification finds no difference', async () => {
    await c.reload();
    await field(c, 'Replicazione').selectOption('recent');
    assert.equal(await press(c, button(c, 'START')), 303);
    await said(c, 'Sincronizzazione avviata.');
    await shows(c, 'it has ended', c.getByRole('log').getByText('Sincronizzazione completata'), { within: 60_000 });
    await shows(c, 'it could be verified', button(c, 'VERIFICA').and(c.locator(':enabled')));
    assert.equal(await press(c, button(c, 'VERIFICA')), 303);
    await shows(c, 'no difference', c.locator('.badge.good', { hasText: 'Nessuna differenza' }), { within: 60_000 });
  });

  await t.step('what cannot be taken back is asked twice', async () => {
    await go(m, 'Dati da replicare');
    const target = pbx.target('etc');
    const remove = m.getByRole('button', { name: 'Togli conf', exact: true });
    const question = m.getByRole('dialog', { name: 'Togliere dalla replica conf?' });
    await remove.click();
    await question.getByRole('button', { name: 'Annulla' }).click();
    await question.waitFor({ state: 'hidden' });
    assert.ok(fs.existsSync(target));
    await remove.click();
    assert.equal(await press(m, question.getByRole('button', { name: 'Togli', exact: true })), 303);
    await said(m, 'Dati tolti dalla replica.');
    assert.equal(await row(m, 'conf').count(), 0);
    await until('the Client no longer shows it', () => !fs.existsSync(target));
  });

  await t.step('the association is dissolved on each side by itself', async () => {
    for (const page of [m, c]) {
      await go(page, 'Disaster Recovery');
      await button(page, 'Sciogli associazione').click();
      assert.equal(await press(page, page.getByRole('dialog').getByRole('button', { name: 'Sciogli associazione' })), 303);
      await said(page, 'Associazione sciolta.');
      await page.locator('.pair .badge.bad', { hasText: 'Non associato' }).waitFor();
    }
  });

  await t.step('everything that was done is in the audit log, and its chain holds', async () => {
    await go(m, 'Registro');
    await m.getByRole('link', { name: 'Verifica integrità' }).click();
    await m.locator('.notice.good', { hasText: 'Registro integro' }).waitFor();
    const told = (await m.locator('tbody code').allTextContents()).join(' ');
    for (const action of ['licence.load', 'peer.set', 'peer.token', 'dataset.add', 'dataset.remove', 'peer.forget', 'password.change']) {
      assert.ok(told.includes(action), `${action} in ${told}`);
    }
  });

  await t.step('no page complained in the browser’s console', () => assert.deepEqual([...complaints(m), ...complaints(c)], []));
});
