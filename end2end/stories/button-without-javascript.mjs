// The button, without JavaScript: plain forms, pages that are asked for again, and nothing missing. The Master dies, the
// DR is activated, its own machine is killed in the middle, the Master comes back fenced, and the service goes home.
// timeout: 300
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { browser, button, complaints, field, go, login, open, openAs, press, said, shows } from '../lib/browser.mjs';
import { everyPageSays, fill, fitsThePhone, form, header, refused, registered, replicated, stance, step, Telephones } from '../lib/button.mjs';
import { associated } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

const ATTEST = 'Anna Verdi, in sala macchine alle 3:10, alimentazione staccata';
const REASON = 'Incendio in sala macchine';
const START = 'Avviare il servizio pbx';
const PHONE = { width: 360, height: 740 };

await story(async (t) => {
  const pair = await associated(t);
  const { master, client } = pair;
  const cookies = { master: await master.settle() };
  await client.settle();
  for (const machine of [master, client]) await machine.ok(['threshold', 'set', 'probe.interval_ms', '200']);
  const { source, target } = await replicated(t.root, pair);
  const [onMaster, onClient] = [new Telephones(t.root, master), new Telephones(t.root, client)];
  onMaster.letGo();
  const chromium = await browser(t);
  const m = await openAs(t, chromium, master, cookies.master, { javaScript: false });
  // The operator stands in the machine room with a phone.
  const c = await open(t, chromium, client, { javaScript: false, viewport: PHONE });
  const [activate, deactivate] = [form(c, 'activate'), form(c, 'deactivate')];

  await t.step('services are declared by plain forms: the Master’s run, the DR’s do not', async () => {
    assert.equal(await login(c), 303);
    // The menu of a phone is folded.
    await c.setViewportSize({ width: 1280, height: 900 });
    await m.goto('/');
    await onMaster.declare(m);
    await onClient.declare(c);
    await onMaster.are('up');
    await onClient.are('down');
    await c.setViewportSize(PHONE);
  });

  await t.step('the DR is ready; on the Master the page says that this is the wrong machine', async () => {
    await c.goto('/attivazione');
    await c.getByText('questa è la macchina DR').waitFor();
    await shows(c, 'ready', stance(c, 'Il DR è pronto. Il Master risponde: non c\'è nulla da attivare.'));
    await fitsThePhone(c);
    await m.goto('/attivazione');
    assert.match(await m.title(), /questa NON è la macchina DR/);
    assert.equal(await form(m, 'activate').count(), 0);
  });

  await t.step('the Master dies with its telephones: the page shows the button, within a phone’s width', async () => {
    await master.kill();
    fs.rmSync(onMaster.flag);
    await shows(c, 'it can be activated', stance(c, 'Il Master non risponde. Il DR può essere attivato adesso.'));
    await fitsThePhone(c, button(c, 'ATTIVA IL DR'));
    await t.picture(c, 'dead-360');
  });

  await t.step('without attesting, without consent, with a wrong password: refused on the same page', async () => {
    await fill(activate, { reason: REASON, name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'ATTIVA IL DR')), 422);
    await refused(c, activate, ['isolation.unattested', 'data_loss.consent'], REASON);
    await fitsThePhone(c, button(c, 'ATTIVA IL DR'));
    await t.picture(c, 'refused-360');
    await fill(activate, { attest: ATTEST, accept: true, password: 'non è questa' });
    assert.equal(await press(c, button(c, 'ATTIVA IL DR')), 422);
    await refused(c, activate, [], REASON);
    assert.equal(await field(activate, '127.0.0.1: chi l\'ha vista spenta, e come').inputValue(), ATTEST, 'the statement is kept');
    assert.equal(await activate.getByLabel('Accetto di perdere questi dati').isChecked(), true, 'so is the consent');
    const { state, mandate } = await client.json(['status']);
    assert.deepEqual([state, mandate.epoch], ['standby', 1], 'nothing was written');
  });

  await t.step('attested, consented and signed it begins; the page of the run asks for itself again', async () => {
    // The power of this machine goes, too, right after the command that starts the telephones.
    await client.kill();
    client.env.TVOX_DR_TEST_STEP = 'kill:start:pbx:after_do';
    await client.start();
    await c.goto('/attivazione');
    await shows(c, 'it can be activated', stance(c, 'Il DR può essere attivato adesso'));
    await fill(activate, { reason: REASON, attest: ATTEST, accept: true, name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'ATTIVA IL DR')), 303);
    await said(c, 'Attivazione avviata.');
    await step(c, START, 'In corso').waitFor();
    await step(c, 'Scrivere il mandato', 'Fatto').waitFor();
    await header(c, 'active', 'Attivazione in corso').waitFor();
    await fitsThePhone(c);
    await t.picture(c, 'running-360');
  });

  await t.step('the machine is killed right after the start of the telephones; started again it goes on by itself', async () => {
    const run = c.url();
    // A page that asks for itself again would ask a dead machine.
    await c.goto('about:blank');
    onClient.letGo();
    assert.notEqual((await client.died()).code, 0);
    delete client.env.TVOX_DR_TEST_STEP;
    await client.start();
    await c.goto(run);
    await stance(c, 'Conclusa').waitFor();
    await step(c, 'Verificare i servizi', 'Fatto').waitFor();
    await header(c, 'active', 'DR ATTIVO').waitFor();
    const report = c.locator('.run');
    for (const text of [REASON, ATTEST, 'RTO misurato', 'Dati persi (RPO misurato)']) await report.locator('dd, h2, dt', { hasText: text }).first().waitFor();
    await onClient.are('up');
    await fitsThePhone(c);
    await t.picture(c, 'run-360');
  });

  await t.step('every page says in orange that the DR is active', async () => {
    await everyPageSays(c, 'active', 'DR ATTIVO');
    await c.goto('/attivazione');
    await fitsThePhone(c, button(c, 'RIENTRA SU MASTER1'));
    await t.picture(c, 'active-360');
  });

  await t.step('with the Master off the page warns that nobody would serve', async () => {
    await c.locator('[data-rule="peer.silent"]').waitFor();
  });

  await t.step('the Master boots again: it is fenced, its telephones stay down, and its pages say so', async () => {
    master.boots('second');
    await master.start();
    await m.goto('/attivazione');
    await shows(m, 'it is fenced', stance(m, 'ESCLUSO: il servizio è su dr1.'));
    await m.getByRole('heading', { level: 1, name: /questa NON è la macchina DR/ }).waitFor();
    await onMaster.are('down');
    await everyPageSays(m, 'active', 'ESCLUSO');
  });

  await t.step('the way back is refused while what was made on the DR is not given up; then the service goes home', async () => {
    fs.writeFileSync(path.join(target, 'voicemail-0001'), 'made on the DR');
    await c.goto('/attivazione');
    await fill(deactivate, { reason: 'Master riparato', name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'RIENTRA SU MASTER1')), 422);
    await refused(c, deactivate, ['dr_data.discard'], 'Master riparato');
    assert.ok(onClient.up, 'a refusal stops nothing');
    await fill(deactivate, { discard: true, name: 'dr1', password: client.password });
    assert.equal(await press(c, button(c, 'RIENTRA SU MASTER1')), 303);
    await stance(c, 'Conclusa').waitFor();
    await c.locator('.run').getByText('voicemail-0001').first().waitFor();
    await m.goto('/');
    await shows(m, 'it serves', header(m, 'good', 'In servizio'));
    await onMaster.are('up');
    await onClient.are('down');
    await c.goto('/');
    await shows(c, 'as before', header(c, 'good', 'In attesa'));
  });

  await t.step('replication goes on, and all of it is in the logs, which are whole', async () => {
    fs.writeFileSync(path.join(source, 'extensions.conf'), 'exten => 101');
    await until('the change is there', () => fs.readFileSync(path.join(target, 'extensions.conf'), 'utf8') === 'exten => 101');
    await c.setViewportSize({ width: 1280, height: 900 });
    await registered(c, ['activate', 'isolation.unattested', 'run.step', 'start:pbx', 'run.done', 'deactivate', 'dr_data.discard', REASON, 'Master riparato']);
    await registered(m, ['mandate.learned', 'service.add']);
    await go(c, 'Operazioni');
    for (const kind of ['Attivazione del DR', 'Rientro sul Master']) await c.getByRole('row').filter({ hasText: kind }).getByText('Conclusa').waitFor();
  });

  await t.step('no page complained in the browser’s console', () => {
    for (const page of [m, c]) assert.deepEqual(complaints(page), []);
  });
});
