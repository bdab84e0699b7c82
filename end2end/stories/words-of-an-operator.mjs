// Three pages on which only an operator's word lets things go on: the page Procedura with the customer's own steps, the
// card of a copy that is held because the Master is another one, and the form that settles a machine that was put back.
// timeout: 240
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { browser, button, complaints, field, openAs, press, said, shows } from '../lib/browser.mjs';
import { fill, fitsThePhone, form, registered, replicated, stance } from '../lib/button.mjs';
import { associated, Machine } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

await story(async (t) => {
  const pair = await associated(t);
  let { master } = pair;
  const { client, supplier } = pair;
  const cookie = await client.settle();
  await client.ok(['threshold', 'set', 'probe.interval_ms', '200']);
  const { target } = await replicated(t.root, pair);
  const chromium = await browser(t);
  const c = await openAs(t, chromium, client, cookie, { javaScript: true });
  const plain = await openAs(t, chromium, client, cookie, { javaScript: false });
  const rows = async (page) => (await page.locator('tbody th[scope=row]').allInnerTexts()).map((name) => name.trim());

  await t.step('a step of one’s own is declared by a form, and what is wrong in it is said beside the field', async () => {
    for (const [page, name] of [[c, 'carrier'], [plain, 'fax']]) {
      await page.goto('/procedura');
      await page.locator('a[href*="new=manual"]').click();
      await field(page, 'Nome').fill(name === 'carrier' ? 'Non Valido' : name);
      await page.locator('[name=text_it]').fill(`Chiamare per ${name}`);
      if (name === 'carrier') {
        assert.equal(await press(page, button(page, 'Salva')), 422);
        await page.locator('.field-error').first().waitFor();
        assert.equal(await page.locator('[name=text_it]').inputValue(), 'Chiamare per carrier', 'what was typed is kept');
        await field(page, 'Nome').fill(name);
      }
      assert.equal(await press(page, button(page, 'Salva')), 303);
      await said(page, 'Passo salvato.');
    }
    await c.goto('/procedura');
    assert.deepEqual(await rows(c), ['carrier', 'fax']);
    await t.picture(c, 'procedure');
  });

  await t.step('it is moved, and the activation shows it in its new place before anybody presses', async () => {
    await plain.goto('/procedura');
    assert.equal(await press(plain, button(plain, 'Sposta su fax')), 303);
    assert.deepEqual(await rows(plain), ['fax', 'carrier']);
    const dry = JSON.parse((await client.cli(['activate', '--dry-run', '--json'])).out);
    assert.deepEqual(dry.steps.map((one) => one.id).filter((id) => id.startsWith('own:')), ['own:fax', 'own:carrier']);
    await plain.goto('/attivazione');
    await shows(plain, 'the steps to come', plain.locator('li', { hasText: 'Passo proprio fax' }));
    const told = await plain.locator('ol li').allInnerTexts();
    assert.ok(told.indexOf('Passo proprio fax') < told.indexOf('Passo proprio carrier'), `${told}`);
  });

  await t.step('two steps become a group, which is moved and left out as a whole, and the activation says so', async () => {
    for (const [page, name] of [[c, 'carrier'], [plain, 'fax']]) {
      await page.goto(`/procedura?edit=${name}`);
      await field(page, 'Gruppo').fill('Operatore telefonico');
      assert.equal(await press(page, button(page, 'Salva')), 303);
    }
    await plain.goto('/procedura?new=manual');
    await field(plain, 'Nome').fill('portineria');
    await plain.locator('[name=text_it]').fill('Avvisare la portineria');
    assert.equal(await press(plain, button(plain, 'Salva')), 303);
    assert.deepEqual(await rows(plain), ['fax', 'carrier', 'portineria']);
    assert.equal(await plain.locator('tbody.group tr').count(), 3, 'a heading and its two steps');
    assert.equal(await press(plain, button(plain, 'Sposta giù il gruppo Operatore telefonico')), 303);
    assert.deepEqual(await rows(plain), ['portineria', 'fax', 'carrier']);
    for (const width of [360, 1440]) {
      await c.setViewportSize({ width, height: 900 });
      await c.goto('/procedura');
      await fitsThePhone(c);
      await t.picture(c, `groups-${width}`);
    }
    await c.setViewportSize({ width: 1280, height: 900 });
    assert.equal(await press(c, button(c, 'Escludi il gruppo Operatore telefonico')), 303);
    await said(c, 'Gruppo escluso.');
    await c.locator('.group-head .badge', { hasText: 'Escluso' }).waitFor();
    for (const page of [c, plain]) {
      await page.goto('/attivazione');
      await shows(page, 'what is left out', page.locator('.left-out li', { hasText: 'Passo proprio fax' }));
      assert.equal(await page.locator('.left-out strong').innerText(), 'Operatore telefonico');
    }
    await t.picture(c, 'left-out');
    await plain.goto('/procedura');
    assert.equal(await press(plain, button(plain, 'Includi il gruppo Operatore telefonico')), 303);
    await plain.goto('/attivazione');
    await shows(plain, 'the group as one block', plain.locator('ol li', { has: plain.locator('strong', { hasText: 'Operatore telefonico' }) }).locator('ol li').nth(1));
    assert.equal(await plain.locator('.left-out').count(), 0);
  });

  await t.step('a Master that was replaced by an empty machine erases nothing: the copy is held, and a card says why', async () => {
    await master.kill();
    master = await Machine.init(t, supplier, 'master', 'master2');
    await master.start();
    await master.license();
    await master.ok(['threshold', 'set', 'disk.min_free_percent', '0']);
    await master.ok(['peer', 'set', client.peer]);
    await client.ok(['peer', 'forget']);
    await client.ok(['peer', 'set', master.peer]);
    await client.ok(['peer', 'join', '-'], { input: (await master.json(['peer', 'token'])).token });
    const empty = path.join(t.root, 'empty');
    fs.mkdirSync(empty);
    fs.writeFileSync(path.join(empty, 'new.conf'), 'of the new Master');
    await master.ok(['dataset', 'add', 'etc', '--kind', 'files', '--source', empty, '--target', target]);
    await until('the copy is held', async () => (await client.dataset('etc')).held === true);
    for (const page of [c, plain]) {
      await page.goto('/replicazione');
      await shows(page, 'the card', page.getByRole('heading', { name: 'La copia è trattenuta: etc' }));
    }
    assert.ok(fs.existsSync(path.join(target, 'extensions.conf')), 'the good copy is still there');
    await t.picture(plain, 'held');
  });

  await t.step('a consent without its proofs is refused on the same page; with them it is used once', async () => {
    const consent = form(plain, 'sync.accept');
    await fill(consent, { reason: 'Master sostituito', name: 'master2', password: client.password });
    assert.equal(await press(plain, button(plain, 'SOSTITUISCI LA COPIA DI ETC')), 422);
    await plain.locator('.notice.bad[data-rule="confirm_name"]').waitFor();
    assert.equal(await field(consent, 'Motivo').inputValue(), 'Master sostituito');
    assert.ok(fs.existsSync(path.join(target, 'extensions.conf')));
    await fill(consent, { name: 'dr1', password: client.password });
    assert.equal(await press(plain, button(plain, 'SOSTITUISCI LA COPIA DI ETC')), 303);
    await said(plain, 'Consenso registrato');
    await until('it follows the new Master', () => fs.existsSync(path.join(target, 'new.conf')));
    await plain.goto('/replicazione');
    assert.equal(await plain.getByRole('heading', { name: 'La copia è trattenuta: etc' }).count(), 0);
  });

  await t.step('a machine that was put back says so, and a word that names it settles it', async () => {
    const before = path.join(t.root, 'before');
    const session = (machine) => JSON.parse(fs.readFileSync(path.join(machine.data, 'mandate.a'), 'utf8').split('\n')[1]).session;
    const ticket = () => session(client).held?.number ?? 0;
    await until('it has a ticket', () => ticket() > 0);
    await client.kill();
    fs.cpSync(client.data, before, { recursive: true, preserveTimestamps: true, filter: (from) => !from.endsWith('control.sock') });
    await client.start();
    const had = ticket();
    await until('the ticket is renewed', () => ticket() > had);
    // Nobody can miss a ticket that was never shown.
    await until('it has shown it', () => session(master).expected?.ticket?.number >= ticket());
    await client.kill();
    fs.rmSync(client.data, { recursive: true });
    fs.renameSync(before, client.data);
    await client.start();
    await until('it is found', async () => (await client.json(['status'])).mandate.findings.includes('set_back'));
    await plain.goto('/attivazione');
    await plain.locator('summary', { hasText: 'È voluto' }).click();
    const settle = form(plain, 'settle');
    await fill(settle, { reason: 'ripristinata da noi', name: 'dr2', password: client.password });
    assert.equal(await press(plain, button(plain, 'CHIARISCI')), 422);
    await plain.locator('.notice.bad[data-rule="confirm_name"]').waitFor();
    await t.picture(plain, 'settle');
    await fill(settle, { name: 'dr1', password: client.password });
    assert.equal(await press(plain, button(plain, 'CHIARISCI')), 303);
    await said(plain, 'Anomalia chiarita.');
    await until('nothing is found any more', async () => (await client.json(['status'])).mandate.findings.length === 0);
    await shows(plain, 'it waits', stance(plain, 'Il DR'));
    await registered(plain, ['settle', 'sync.accept', 'step.move', 'step.group.off']);
    for (const page of [c, plain]) assert.deepEqual(complaints(page), []);
  });
});
