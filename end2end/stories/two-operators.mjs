// Two operators at the same page in the same minute, one with JavaScript and one without: one run begins, both see it, and
// whoever came second is told so in words. What one of them has done, the other one cannot do once more.
// timeout: 180
import assert from 'node:assert/strict';
import { browser, button, complaints, field, openAs, press, said, shows } from '../lib/browser.mjs';
import { fill, form, registered, replicated, stance, step, Telephones } from '../lib/button.mjs';
import { associated } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

const ATTEST = 'Anna Verdi, in sala macchine alle 3:10, alimentazione staccata';

await story(async (t) => {
  const pair = await associated(t);
  const { master, client } = pair;
  for (const machine of [master, client]) await machine.ok(['threshold', 'set', 'probe.interval_ms', '200']);
  await replicated(t.root, pair);
  const phones = new Telephones(t.root, client);
  const { flag } = phones;
  await client.ok(['service', 'add', 'pbx', '--start', `touch ${flag}`, '--stop', `rm -f ${flag}`, '--check', `test -e ${flag}`]);
  await client.ok(['step', 'add', 'carrier', '--kind', 'manual', '--text-it', 'Chiamare l\'operatore telefonico', '--undo-it', 'Richiamare l\'operatore']);
  const chromium = await browser(t);
  const anna = await openAs(t, chromium, client, await client.user('anna', 'operator'), { javaScript: true });
  const bruno = await openAs(t, chromium, client, await client.user('bruno', 'operator'), { javaScript: false });
  const password = 'una frase abbastanza lunga';
  const both = [anna, bruno];

  await t.step('the Master dies, and both stand before the same button', async () => {
    await master.kill();
    const silent = async () => (await client.json(['status'])).pair.peer.machines[0].reachable === false;
    await until('the Master is silent', silent);
    for (const page of both) {
      await page.goto('/attivazione');
      await shows(page, 'it can be activated', stance(page, 'Il DR può essere attivato adesso'));
      // A form that was folded while the Master still answered stands open on the page as it is now.
      await page.goto('/attivazione');
      await fill(form(page, 'activate'), { reason: `preme ${page === anna ? 'Anna' : 'Bruno'}`, attest: ATTEST, accept: true, name: 'dr1', password });
    }
  });

  let [first, second] = both;
  await t.step('both press at once: one run begins, and the other one is told in words that it is under way', async () => {
    const statuses = await Promise.all(both.map((page) => press(page, button(page, 'ATTIVA IL DR'))));
    assert.deepEqual([...statuses].sort(), [303, 422], 'exactly one');
    if (statuses[0] === 422) [first, second] = [second, first];
    await said(first, 'Attivazione avviata.');
    await second.locator('.notice.bad[data-rule="run.in_progress"]').waitFor();
    assert.match(await second.locator('.notice.bad[data-rule="run.in_progress"]').innerText(), /già in corso/);
    assert.equal((await client.json(['run', 'list'])).runs.length, 1);
  });

  await t.step('the same run is before the eyes of both, with the same steps', async () => {
    const { id } = await client.json(['run', 'show']);
    await second.goto('/attivazione');
    await second.getByRole('link', { name: 'SEGUI L\'OPERAZIONE' }).click();
    for (const page of both) {
      assert.ok(page.url().includes(id), `${page.url()} is of ${id}`);
      await shows(page, 'it waits for a person', page.getByText('Chiamare l\'operatore telefonico'));
      await step(page, 'Scrivere il mandato', 'Fatto').waitFor();
    }
    await until('the telephones run', () => phones.up);
    await t.picture(second, 'second');
  });

  await t.step('both say that it is done: one is believed, the other one hears that nobody waits any more', async () => {
    for (const page of both) await field(page, 'Nota').fill(page === anna ? 'sentito Rossi' : 'sentito Bianchi');
    const statuses = await Promise.all(both.map((page) => press(page, button(page, 'È STATO FATTO'))));
    assert.deepEqual([...statuses].sort(), [303, 422]);
    for (const page of both) {
      await page.goto(first.url());
      await shows(page, 'it is over', stance(page, 'Conclusa'));
    }
    const { steps } = await client.json(['run', 'show']);
    const output = steps.find((one) => one.id === 'own:carrier').output;
    assert.match(output, statuses[0] === 303 ? /anna: sentito Rossi/ : /bruno: sentito Bianchi/);
  });

  await t.step('both roll back: one run again, and the log tells who was refused', async () => {
    for (const page of both) {
      await page.goto('/attivazione');
      await fill(form(page, 'deactivate'), { reason: 'rientro', discard: true, name: 'dr1', password });
    }
    // It waits for whoever calls the carrier back: so long it is in the way.
    const statuses = await Promise.all(both.map((page) => press(page, button(page, 'RIENTRA SU MASTER1'))));
    assert.deepEqual([...statuses].sort(), [303, 422]);
    const late = statuses[0] === 422 ? anna : bruno;
    await late.locator('.notice.bad[data-rule="run.in_progress"]').waitFor();
    const { runs } = await client.json(['run', 'list']);
    assert.deepEqual(runs.map((run) => run.kind), ['deactivation', 'activation']);
    await registered(anna, ['run.in_progress', 'anna', 'bruno']);
    for (const page of both) assert.deepEqual(complaints(page), []);
  });
});
