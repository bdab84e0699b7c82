// The button, in the browser, with JavaScript: the Master dies, the DR is activated by hand while two people watch, its
// own machine is killed in the middle and goes on, the Master comes back and stays fenced, and the service goes home.
// timeout: 300
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { assertNotReloaded, browser, button, complaints, go, mark, openAs, press, said, shows } from '../lib/browser.mjs';
import { everyPageSays, fill, fitsThePhone, form, header, refused, registered, replicated, stance, step, Telephones } from '../lib/button.mjs';
import { associated } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

const ATTEST = 'Anna Verdi, in sala macchine alle 3:10, alimentazione staccata';
const REASON = 'Incendio in sala macchine';
const START = 'Avviare il servizio pbx';

await story(async (t) => {
  const pair = await associated(t);
  const { master, client } = pair;
  const cookies = { master: await master.settle(), client: await client.settle() };
  const watching = await client.user('carla', 'viewer');
  for (const machine of [master, client]) await machine.ok(['threshold', 'set', 'probe.interval_ms', '200']);
  const { source, target } = await replicated(t.root, pair);
  const [onMaster, onClient] = [new Telephones(t.root, master), new Telephones(t.root, client)];
  onMaster.letGo();
  const chromium = await browser(t);
  const m = await openAs(t, chromium, master, cookies.master);
  const c = await openAs(t, chromium, client, cookies.client);
  const w = await openAs(t, chromium, client, watching);
  const phone = await openAs(t, chromium, client, cookies.client, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  const activate = form(c, 'activate');
  const deactivate = form(c, 'deactivate');

  /** The page Attivazione as it is now, on the phone and on the desk. */
  async function pictures(name, primary) {
    await phone.goto('/attivazione');
    if (primary) await primary(phone).waitFor();
    await fitsThePhone(phone, primary?.(phone));
    await t.picture(phone, `${name}-360`);
    await c.setViewportSize({ width: 1440, height: 900 });
    await t.picture(c, `${name}-1440`);
  }

  await t.step('without services the DR is not ready, and the page says what is missing', async () => {
    for (const page of [m, w]) await page.goto('/');
    await c.goto('/attivazione');
    await shows(c, 'the verdict', stance(c, 'Il Master risponde, ma il DR non è pronto.'));
    await c.locator('.obstacles [data-rule="service.none"]').waitFor();
    await pictures('blocked');
  });

  await t.step('services are declared on both machines: the Master’s run, the DR’s do not', async () => {
    await onMaster.declare(m);
    await onClient.declare(c);
    await onMaster.are('up');
    await onClient.are('down');
    await shows(m, 'up on the Master', m.getByRole('row').filter({ hasText: 'pbx' }).locator('.badge.good'));
  });

  await t.step('the DR is ready, and there is nothing to activate', async () => {
    await go(c, 'Attivazione');
    await c.getByText('questa è la macchina DR').waitFor();
    await shows(c, 'ready', stance(c, 'Il DR è pronto. Il Master risponde: non c\'è nulla da attivare.'));
    assert.equal(await button(c, 'ATTIVA IL DR').isVisible(), false, 'the button is folded away');
    await pictures('ready');
    await m.goto('/attivazione');
    await m.getByRole('heading', { level: 1, name: /questa NON è la macchina DR/ }).waitFor();
    assert.match(await m.title(), /questa NON è la macchina DR/);
    assert.equal(await form(m, 'activate').count(), 0, 'there is no button on the Master');
  });

  await t.step('the Master dies with its telephones: an open page says so without being loaded again', async () => {
    await mark(c);
    await master.kill();
    fs.rmSync(onMaster.flag);
    await shows(c, 'it can be activated', stance(c, 'Il Master non risponde. Il DR può essere attivato adesso.'));
    await assertNotReloaded(c);
  });

  await t.step('on a phone the button is there without scrolling sideways', async () => {
    await c.reload();
    await pictures('dead', (page) => button(page, 'ATTIVA IL DR'));
  });

  await t.step('who does not vouch that the Master is off is refused, with every reason, on the same page', async () => {
    await fill(activate, { reason: REASON, name: 'master1', password: client.password });
    assert.equal(await press(c, button(c, 'ATTIVA IL DR')), 422);
    await refused(c, activate, ['confirm_name', 'isolation.unattested', 'data_loss.consent'], REASON);
    await fill(activate, { name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'ATTIVA IL DR')), 422);
    await refused(c, activate, ['isolation.unattested', 'data_loss.consent'], REASON);
    await t.picture(c, 'refused-1440');
    assert.equal((await client.json(['status'])).state, 'standby');
    assert.equal((await client.json(['status'])).mandate.epoch, 1, 'nothing was written');
  });

  await t.step('attested, consented and signed it begins, and leads to the page of the run', async () => {
    // The power of this machine goes, too, right after the command that starts the telephones.
    await client.kill();
    client.env.TVOX_DR_TEST_STEP = 'kill:start:pbx:after_do';
    await client.start();
    await c.goto('/attivazione');
    await shows(c, 'it can be activated', stance(c, 'Il DR può essere attivato adesso'));
    await fill(activate, { reason: REASON, attest: ATTEST, accept: true, name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'ATTIVA IL DR')), 303);
    assert.match(c.url(), /\/operazioni\?id=/);
    await said(c, 'Attivazione avviata.');
  });

  await t.step('two people watch the same steps as they come', async () => {
    await go(w, 'Operazioni');
    await w.getByRole('link', { name: 'Attivazione del DR' }).click();
    for (const page of [c, w]) {
      await mark(page);
      await shows(page, 'the start under way', step(page, START, 'In corso'));
      await step(page, 'Scrivere il mandato', 'Fatto').waitFor();
      await step(page, 'Verificare i servizi', 'Da fare').waitFor();
      await header(page, 'active', 'Attivazione in corso').waitFor();
    }
    assert.equal(await button(w, 'Annulla l\'operazione').count(), 0, 'who may only look has nothing to press');
    await t.picture(c, 'running-1440');
  });

  await t.step('the machine is killed right after the start of the telephones; started again it goes on by itself', async () => {
    onClient.letGo();
    assert.equal((await client.died()).code === 0, false, 'it died');
    for (const page of [c, w]) await page.getByText('collegamento con il pannello interrotto').waitFor();
    delete client.env.TVOX_DR_TEST_STEP;
    await client.start();
    for (const page of [c, w]) {
      await shows(page, 'it is done', stance(page, 'Conclusa'));
      await shows(page, 'the last step', step(page, 'Verificare i servizi', 'Fatto'));
      await shows(page, 'the header', header(page, 'active', 'DR ATTIVO'));
      await assertNotReloaded(page);
    }
    await onClient.are('up');
  });

  await t.step('the report tells who, why, what was vouched, and the measured RTO and RPO', async () => {
    const report = c.locator('.run');
    for (const text of [REASON, ATTEST, 'RTO misurato', 'Dati persi (RPO misurato)', 'admin']) await report.locator('dd, h2, dt', { hasText: text }).first().waitFor();
    await c.reload();
    await t.picture(c, 'run-1440');
    await phone.goto(c.url());
    await fitsThePhone(phone);
    await t.picture(phone, 'run-360');
  });

  await t.step('every page says in orange that the DR is active', async () => {
    await everyPageSays(c, 'active', 'DR ATTIVO');
    await c.goto('/attivazione');
    await stance(c, 'DR ATTIVO: il servizio è su dr1.').waitFor();
    await pictures('active', (page) => button(page, 'RIENTRA SU MASTER1'));
  });

  await t.step('the Master boots again: it is fenced, its telephones stay down, and its page says where the service is', async () => {
    master.boots('second');
    await master.start();
    await m.goto('/');
    await shows(m, 'it is fenced', header(m, 'active', 'ESCLUSO – il DR è attivo'));
    await m.goto('/attivazione');
    await stance(m, 'ESCLUSO: il servizio è su dr1.').waitFor();
    await m.getByRole('heading', { level: 1, name: /questa NON è la macchina DR/ }).waitFor();
    await onMaster.are('down');
    await m.setViewportSize({ width: 1440, height: 900 });
    await t.picture(m, 'fenced-1440');
    await m.setViewportSize({ width: 360, height: 740 });
    await fitsThePhone(m);
    await t.picture(m, 'fenced-360');
    await m.setViewportSize({ width: 1280, height: 900 });
    await everyPageSays(m, 'active', 'ESCLUSO');
  });

  await t.step('the way back is refused while what was made on the DR is not given up', async () => {
    fs.writeFileSync(path.join(target, 'voicemail-0001'), 'made on the DR');
    await c.goto('/attivazione');
    await fill(deactivate, { reason: 'Master riparato', name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'RIENTRA SU MASTER1')), 422);
    await refused(c, deactivate, ['dr_data.discard'], 'Master riparato');
    await t.picture(c, 'discard-1440');
    assert.ok(onClient.up, 'a refusal stops nothing');
  });

  await t.step('given up, the service goes home: both machines’ open pages show it', async () => {
    await m.goto('/');
    await mark(m);
    await fill(deactivate, { discard: true, name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'RIENTRA SU MASTER1')), 303);
    await shows(c, 'it is done', stance(c, 'Conclusa'));
    await c.locator('.run').getByText('voicemail-0001').first().waitFor();
    await shows(m, 'it serves', header(m, 'good', 'In servizio'));
    await assertNotReloaded(m);
    await onMaster.are('up');
    await onClient.are('down');
    await shows(c, 'as before', header(c, 'good', 'In attesa'));
    await t.picture(c, 'back-1440');
  });

  await t.step('replication goes on, and all of it is in the logs, which are whole', async () => {
    fs.writeFileSync(path.join(source, 'extensions.conf'), 'exten => 101');
    await until('the change is there', () => fs.readFileSync(path.join(target, 'extensions.conf'), 'utf8') === 'exten => 101');
    assert.equal(fs.existsSync(path.join(target, 'voicemail-0001')), false);
    await registered(c, ['activate', 'confirm_name', 'isolation.unattested', 'run.step', 'start:pbx', 'run.done', 'deactivate', 'dr_data.discard', REASON, 'Master riparato']);
    await registered(m, ['mandate.learned', 'service.add']);
    await go(c, 'Operazioni');
    for (const kind of ['Attivazione del DR', 'Rientro sul Master']) await c.getByRole('row').filter({ hasText: kind }).getByText('Conclusa').waitFor();
  });

  await t.step('no page complained in the browser’s console', () => {
    for (const page of [m, c, w, phone]) assert.deepEqual(complaints(page), []);
  });
});
