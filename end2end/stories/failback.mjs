// Failback in the browser, without JavaScript and then with it: the DR serves, the Master is back and fenced, an operator
// presses, and what was made on the DR is on the Master with the service. What nobody consented to is refused first.
// timeout: 300
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { browser, button, complaints, go, openAs, press, said, shows } from '../lib/browser.mjs';
import { fill, form, header, refused, registered, replicated, stance, step, Telephones } from '../lib/button.mjs';
import { associated } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

const REASON = 'Master riparato';
const TAIL = 'Accetto di sostituire ciò che il Master ha scritto prima di fermarsi';

await story(async (t) => {
  const pair = await associated(t);
  const { master, client } = pair;
  const cookies = { master: await master.settle(), client: await client.settle() };
  for (const machine of [master, client]) await machine.ok(['threshold', 'set', 'probe.interval_ms', '200']);
  await client.ok(['threshold', 'set', 'failback.stable_s', '0']);
  const { source, target } = await replicated(t.root, pair);
  const [onMaster, onClient] = [new Telephones(t.root, master), new Telephones(t.root, client)];
  for (const telephones of [onMaster, onClient]) {
    telephones.letGo();
    const { flag, machine } = telephones;
    await machine.ok(['service', 'add', 'pbx', '--start', `touch ${flag}`, '--stop', `rm -f ${flag}`, '--check', `test -e ${flag}`]);
  }
  await onMaster.are('up');
  const chromium = await browser(t);

  /** The Master dies, the DR is activated, the Master is back: what is under test begins here. */
  async function away(boot) {
    await master.kill();
    fs.rmSync(onMaster.flag);
    const silent = async () => (await client.json(['status'])).pair.peer.machines[0].reachable === false;
    await until('the Master is silent', silent);
    await client.ok(['activate', '--confirm-name', 'dr1', '--reason', 'prova', '--attest', '127.0.0.1=spenta', '--accept-data-loss']);
    master.boots(boot);
    await master.start();
    await until('the Master is fenced', async () => (await master.json(['status'])).state === 'fenced');
    await onMaster.are('down');
  }

  for (const javaScript of [false, true]) {
    const how = javaScript ? 'with JavaScript' : 'without JavaScript';
    const m = await openAs(t, chromium, master, cookies.master, { javaScript });
    const c = await openAs(t, chromium, client, cookies.client, { javaScript });
    const failback = form(c, 'failback');

    await t.step(`${how}: the page offers both ways back and says what each does`, async () => {
      if (!javaScript) fs.writeFileSync(path.join(source, 'tail'), 'the first copy has it');
      await until('the DR has everything', () => !fs.existsSync(path.join(source, 'tail')) || fs.existsSync(path.join(target, 'tail')));
      await away(how);
      fs.writeFileSync(path.join(target, how), 'made on the DR');
      // Written on a fenced machine, as by a hand that means well: nobody has it but the Master.
      fs.writeFileSync(path.join(source, 'by hand'), how);
      await c.goto('/attivazione');
      await shows(c, 'active', stance(c, 'DR ATTIVO: il servizio è su dr1.'));
      await c.getByRole('heading', { name: 'Rientro sul Master con i dati del DR' }).waitFor();
      await c.getByRole('heading', { name: 'Rientro sul Master senza i dati del DR' }).waitFor();
      assert.equal(await c.locator('main button.primary').count(), 1, 'one thing is the thing to do');
      await t.picture(c, `failback-${javaScript}`);
    });

    await t.step(`${how}: what nobody consented to is refused on the same page, and stops nothing`, async () => {
      await fill(failback, { reason: REASON, name: 'dr1', password: client.password });
      assert.equal(await press(c, button(c, 'RIENTRA CON I DATI')), 422);
      await refused(c, failback, ['failback.tail'], REASON);
      await failback.getByLabel('etc (').check();
      await fill(failback, { name: 'dr1', password: client.password });
      assert.equal(await press(c, button(c, 'RIENTRA CON I DATI')), 422);
      await refused(c, failback, ['dr_data.discard'], REASON);
      assert.ok(onClient.up);
    });

    await t.step(`${how}: the Master receives, and its page offers nothing that hurts`, async () => {
      await client.kill();
      client.env.TVOX_DR_TEST_STEP = 'fail:last_delta';
      await client.start();
      await c.goto('/attivazione');
      await failback.getByLabel(TAIL).check();
      await fill(failback, { reason: REASON, name: 'dr1', password: client.password });
      assert.equal(await press(c, button(c, 'RIENTRA CON I DATI')), 303);
      await said(c, 'Rientro con i dati avviato.');
      await step(c, 'Copiare i dati verso il Master, DR in servizio', 'Fatto').waitFor();
      await step(c, 'Copiare le ultime modifiche, servizi fermi', 'Non riuscito').waitFor();
      await m.goto('/attivazione');
      await shows(m, 'it receives', stance(m, 'IN RICEZIONE: master1 riceve i dati da dr1.'));
      assert.equal(await m.locator('main form[method=post]').count(), 0);
      await t.picture(m, `receiving-${javaScript}`);
    });

    await t.step(`${how}: resumed it comes to its end: the data and the telephones are at home`, async () => {
      delete client.env.TVOX_DR_TEST_STEP;
      assert.equal(await press(c, button(c, 'RIPRENDI')), 303);
      await shows(c, 'it is done', stance(c, 'Conclusa'));
      await onMaster.are('up');
      await onClient.are('down');
      assert.equal(fs.readFileSync(path.join(source, how), 'utf8'), 'made on the DR');
      assert.equal(fs.existsSync(path.join(source, 'by hand')), false, 'the DR’s content, exactly');
      const runs = fs.readdirSync(path.join(master.data, 'preserved'));
      const kept = runs.map((run) => path.join(master.data, 'preserved', run, 'etc.files/tree/by hand')).filter((file) => fs.existsSync(file));
      assert.ok(kept.some((file) => fs.readFileSync(file, 'utf8') === how), 'what was replaced is kept');
      await m.goto('/');
      await shows(m, 'it serves', header(m, 'good', 'In servizio'));
      await c.goto('/');
      await shows(c, 'it waits', header(c, 'good', 'In attesa'));
    });

    await t.step(`${how}: replication goes on, and all of it is in the logs`, async () => {
      fs.writeFileSync(path.join(source, 'extensions.conf'), how);
      await until('the change is there', () => fs.readFileSync(path.join(target, 'extensions.conf'), 'utf8') === how);
      await registered(c, ['failback', 'failback.tail', 'dr_data.discard', 'run.step', 'run.done', REASON]);
      await registered(m, ['home.receiving', 'home.settled']);
      await go(c, 'Operazioni');
      await c.getByRole('row').filter({ hasText: 'Rientro sul Master con i dati del DR' }).getByText('Conclusa').first().waitFor();
      for (const page of [m, c]) assert.deepEqual(complaints(page), []);
    });
  }
});
