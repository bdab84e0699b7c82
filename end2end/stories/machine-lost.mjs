// A machine is lost for good: the card of the page Disaster Recovery by which an operator says so, in Italian with
// JavaScript and in English without it, and what both machines show afterwards.
// timeout: 240
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { browser, button, complaints, field, openAs, press, shows } from '../lib/browser.mjs';
import { fitsThePhone, form, registered, replicated } from '../lib/button.mjs';
import { associated } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

const PAGE = '/disaster-recovery';
const PHONE = { width: 360, height: 740 };
const WORDS = {
  it: { summary: 'master1 è perduta per sempre', reason: 'Motivo', attest: "127.0.0.1: chi l'ha vista spenta, e come", accept: 'Accetto di perdere questi dati',
    name: 'Nome di questa macchina', button: 'DICHIARA PERDUTA', list: 'Macchine dichiarate perdute', own: 'Non fa più parte della coppia.' },
  en: { summary: 'master1 is lost for good', reason: 'Reason', attest: '127.0.0.1: who saw it off, and how', accept: 'I accept that this data is lost',
    name: "This machine's name", button: 'DECLARE IT LOST', list: 'Machines declared lost', own: 'It belongs to the pair no more.' },
};

/** A window in one of the two languages; the Italian one has JavaScript, the other one is a phone without it. */
async function windowOn(t, chromium, machine, cookie, lang) {
  const page = await openAs(t, chromium, machine, cookie, lang === 'it' ? { javaScript: true } : { javaScript: false, viewport: PHONE });
  await page.context().addCookies([{ name: 'tvox-dr-lang', value: lang, url: machine.url }]);
  return Object.assign(page, { words: WORDS[lang] });
}

/** What is typed into the form of the card; what is not given is left as it is. */
async function type(page, { reason, attest, accept, name, password }) {
  const where = form(page, 'peer.retire');
  if (reason !== undefined) await field(where, page.words.reason).fill(reason);
  if (attest !== undefined) await field(where, page.words.attest).fill(attest);
  if (accept) await where.getByLabel(page.words.accept).check();
  if (name !== undefined) await field(where, page.words.name).fill(name);
  if (password !== undefined) await field(where, 'Password').fill(password);
}

/** It came back, open, for these reasons and with what was typed, but for the password. */
async function cameBack(page, rules, reason) {
  const told = await page.locator('.notice.bad[data-rule]').evaluateAll((all) => all.map((one) => one.dataset.rule));
  assert.deepEqual(told.sort(), [...rules].sort());
  const where = form(page, 'peer.retire');
  await where.waitFor({ state: 'visible' });
  assert.equal(await field(where, page.words.reason).inputValue(), reason);
  assert.equal(await field(where, 'Password').inputValue(), '');
}

await story(async (t) => {
  const pair = await associated(t);
  const { master, client } = pair;
  const cookies = { master: await master.settle(), client: await client.settle() };
  for (const machine of [master, client]) await machine.ok(['threshold', 'set', 'probe.interval_ms', '200']);
  const flag = path.join(t.root, 'dr1.up');
  await client.ok(['service', 'add', 'pbx', '--start', `touch ${flag}`, '--stop', `rm -f ${flag}`, '--check', `test -e ${flag}`]);
  await replicated(t.root, pair);
  const chromium = await browser(t);
  const it = await windowOn(t, chromium, client, cookies.client, 'it');
  const en = await windowOn(t, chromium, client, cookies.client, 'en');

  await t.step('the card is folded away, and a machine that answers is not declared lost', async () => {
    await it.goto(PAGE);
    assert.equal(await form(it, 'peer.retire').isVisible(), false);
    await it.locator('summary', { hasText: it.words.summary }).click();
    await type(it, { reason: 'Incendio', name: 'dr1', password: client.password });
    assert.equal(await press(it, button(it, it.words.button)), 422);
    const told = await it.locator('.notice.bad[data-rule="isolation.alive"]').count();
    assert.equal(told, 1, 'it answers');
    await it.getByText('Non si può annullare.').waitFor();
    await t.picture(it, 'alive');
  });

  await t.step('it dies: without a word for it and without consent the form comes back open, as it was typed', async () => {
    await master.kill();
    await until('it is silent', async () => !(await client.json(['status'])).pair.peer.machines[0].reachable);
    await en.goto(PAGE);
    await en.locator('summary', { hasText: en.words.summary }).click();
    await type(en, { reason: 'Fire', name: 'dr1', password: client.password });
    assert.equal(await press(en, button(en, en.words.button)), 422);
    await cameBack(en, ['isolation.unattested', 'data_loss.consent'], 'Fire');
    await fitsThePhone(en, button(en, en.words.button));
    await t.picture(en, 'refused-360');
    await type(en, { attest: 'Anna Verdi saw it burn', accept: true, name: 'dr9', password: client.password });
    assert.equal(await press(en, button(en, en.words.button)), 422);
    await cameBack(en, ['confirm_name'], 'Fire');
    assert.equal(await field(form(en, 'peer.retire'), en.words.attest).inputValue(), 'Anna Verdi saw it burn');
    assert.deepEqual((await client.json(['status'])).mandate.retired, [], 'nothing was written');
  });

  await t.step('with all of it the DR takes the service, and the page names who was lost, in both languages', async () => {
    await type(en, { name: 'dr1', password: client.password });
    assert.equal(await press(en, button(en, en.words.button)), 303);
    await until('it serves', async () => (await client.json(['status'])).state === 'active' && fs.existsSync(flag));
    for (const page of [it, en]) {
      await page.goto(PAGE);
      await page.getByRole('heading', { name: page.words.list }).waitFor();
      await page.locator('li', { hasText: 'master1 (127.0.0.1' }).filter({ hasText: 'Fire' }).waitFor();
      assert.equal(await form(page, 'peer.retire').count(), 0, 'nobody is left to be declared lost');
    }
    await fitsThePhone(en);
    await t.picture(it, 'declared');
  });

  await t.step('should it come back, its own page says that it was declared lost and what can still be done with it', async () => {
    master.boots('after the fire');
    await master.start();
    for (const lang of ['it', 'en']) {
      const page = await windowOn(t, chromium, master, cookies.master, lang);
      await page.goto(PAGE);
      await shows(page, 'that it was declared lost', page.locator('.stance', { hasText: page.words.own }));
      assert.equal(await form(page, 'peer.retire').count(), 0);
      await t.picture(page, `lost-${lang}`);
      assert.deepEqual(complaints(page), []);
    }
    await registered(it, ['peer.retire']);
    for (const page of [it, en]) assert.deepEqual(complaints(page), []);
  });
});
