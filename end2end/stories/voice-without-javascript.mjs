// Who is told, by which ways and in which words, without JavaScript: plain forms, the link *Aggiorna*, and nothing
// missing. The messages are Italian here. The mail server is down when the Master dies, and the Client is killed
// outright before it is back.
// timeout: 300
import assert from 'node:assert/strict';
import { browser, button, complaints, field, firstLogin, go, open, press, said, shows } from '../lib/browser.mjs';
import { MailServer, settled, SmsGateway } from '../lib/counterparts.mjs';
import { associated } from '../lib/machine.mjs';
import { story, until } from '../lib/story.mjs';

const MAIL = 'noc@example.com';
const MOBILES = ['+393471234567', '+393471234568'];

await story(async (t) => {
  const { master, client } = await associated(t);
  const mail = await MailServer.up(t, 'smtp');
  const gateway = await SmsGateway.up(t, 'sms');
  const chromium = await browser(t);
  const c = await open(t, chromium, client, { javaScript: false });
  const mails = () => mail.mails().filter((one) => one.to === MAIL);
  const texts = (to) => gateway.messages().filter((one) => one.to === to).map((one) => one.text);

  await t.step('recipients are set in fields with commas between them', async () => {
    await firstLogin(c);
    await go(c, 'Disaster Recovery');
    await field(c, 'Email destinatari allarmi').fill(MAIL);
    await field(c, 'SMS destinatari allarmi').fill('3471234567, 3471234568');
    assert.equal(await field(c, 'Lingua dei messaggi di allarme').inputValue(), 'it');
    assert.equal(await press(c, button(c, 'Salva')), 303);
    await said(c, 'Impostazioni salvate.');
  });

  await t.step('the mail server is set by a plain form: an untouched port follows the security, another one stays', async () => {
    await go(c, 'SMTP');
    assert.equal(await button(c, 'Invia mail').isDisabled(), true, 'there is nothing to test yet');
    assert.equal(await field(c, 'Username').isVisible(), false, 'what hangs on the switch needs no JavaScript');
    await field(c, 'Server').fill('127.0.0.1');
    await field(c, 'Indirizzo E-mail').fill('nessuno');
    await field(c, 'Connessione sicura').selectOption({ label: 'STARTTLS' });
    assert.equal(await press(c, button(c, 'Salva')), 422);
    assert.equal(await field(c, 'Connessione sicura').inputValue(), 'starttls', 'what was chosen is kept');
    await field(c, 'Indirizzo E-mail').fill('tvox-dr@example.com');
    assert.equal(await press(c, button(c, 'Salva')), 303);
    assert.equal(await field(c, 'Porta').inputValue(), '587');
    await field(c, 'Connessione sicura').selectOption({ label: 'Nessuno' });
    await field(c, 'Porta').fill(String(mail.port));
    assert.equal(await press(c, button(c, 'Salva')), 303);
    assert.equal(await field(c, 'Porta').inputValue(), String(mail.port));
    await field(c, 'A:').fill('prova@example.com');
    assert.equal(await press(c, button(c, 'Invia mail')), 303);
    await c.locator('.answer', { hasText: 'kept as 1' }).waitFor();
    const [test] = mail.mails();
    assert.equal(test.title, '[TVox DR] Messaggio di prova da dr1');
  });

  await t.step('SMS accounts are made, the default is chosen, one is tried and one removed', async () => {
    await go(c, 'SMS');
    for (const [name, url] of [['rotto', 'http://127.0.0.1:1/'], ['gateway', `http://127.0.0.1:${gateway.port}/`]]) {
      await c.getByRole('link', { name: 'Nuovo' }).click();
      await field(c, 'Nome').fill(name);
      await field(c, 'URL').fill(url);
      await field(c, 'Corpo').fill('{"to":"{to}","text":"{text}","ref":"{ref}"}');
      assert.equal(await press(c, button(c, 'Salva')), 303);
      await said(c, 'Account SMS salvato.');
    }
    await field(c, 'A:').fill('3477654321');
    await field(c, 'Account da usare').selectOption('rotto');
    assert.equal(await press(c, button(c, 'Invia SMS')), 422);
    await c.locator('.answer', { hasText: 'Connection refused' }).waitFor();
    assert.equal(await field(c, 'Account da usare').inputValue(), 'rotto', 'what was chosen is kept');
    await field(c, 'Account da usare').selectOption('');
    assert.equal(await press(c, button(c, 'Invia SMS')), 303, 'the other account stands in');
    await c.locator('.answer', { hasText: 'gateway: HTTP 200' }).waitFor();
    assert.match(texts('+393477654321')[0], /^TVox DR dr1: messaggio di prova, /);
    await field(c, 'Account di default').selectOption('gateway');
    assert.equal(await press(c, button(c, 'Salva')), 303);
    await said(c, 'Account di default salvato.');
    await c.getByRole('button', { name: 'Rimuovi rotto' }).click();
    assert.equal(await press(c, c.getByRole('dialog', { name: 'Rimuovere l\'account SMS rotto?' }).getByRole('button', { name: 'Rimuovi', exact: true })), 303);
    await said(c, 'Account SMS rimosso.');
  });

  await t.step('a limit is set, and given its default back', async () => {
    await go(c, 'Soglie');
    const bad = field(c, 'Controlli falliti di seguito prima dell\'allarme');
    await bad.fill('0');
    assert.equal(await press(c, button(c, 'Salva')), 422);
    await c.getByText('Scrivere un numero fra 1 e 100').waitFor();
    await bad.fill('20');
    assert.equal(await press(c, button(c, 'Salva')), 303);
    await c.getByText('l\'allarme parte dopo circa 20 s').waitFor();
    assert.equal(await press(c, c.getByRole('button', { name: /^Ripristina 3:/ })), 303);
    assert.equal(await bad.inputValue(), '3');
  });

  const silent = 'Il Master master1 non risponde';
  const row = (text) => c.getByRole('row').filter({ hasText: text });
  await t.step('the Master is killed while the mail server is down: the pages show it, the SMS leave and the mail waits', async () => {
    await mail.stop();
    await master.kill();
    await go(c, 'Monitor di sistema');
    await shows(c, 'the alarm on the monitor page', row(silent).filter({ hasText: 'Attivo' }));
    await go(c, 'Allarmi');
    await shows(c, 'the alarm in the list', row(silent));
    await c.locator('header').getByRole('link', { name: '1 allarme attivo, priorità massima 6' }).waitFor();
    for (const to of MOBILES) await until(`the telephone ${to} rings`, () => texts(to).length > 0);
    await settled(client);
    await shows(c, 'the mail waits', row(silent).getByText('In attesa: 1 · Inviato: 2'));
    await row(silent).getByText('Non raggiungibile non significa spento').waitFor();
  });

  await t.step('somebody takes note of it by a plain form', async () => {
    await row(silent).locator('summary', { hasText: 'Prendi in carico' }).click();
    await field(c, 'Nota').fill('Chiamato il gestore della rete');
    assert.equal(await press(c, button(c, 'Conferma')), 303);
    await said(c, 'Allarme preso in carico.');
    await row(silent).getByText('Chiamato il gestore della rete').waitFor();
  });

  await t.step('the Client is killed outright and comes back; then the mail server, and the mail arrives', async () => {
    await client.kill();
    await client.start();
    assert.equal(mails().length, 0);
    await mail.start();
    await until('the mail', () => mails().length > 0, { within: 90_000 });
    const [one] = mails();
    assert.equal(one.title, `[TVox DR] P6 dr1: ${silent}`);
    assert.equal(one.language, 'it');
    assert.match(one.body, /Che cosa fare\r?\nVerificare se il Master è acceso/);
    assert.match(one.body, /non attivare il DR prima di averlo isolato e spento/);
    for (const to of MOBILES) assert.match(texts(to)[0], /^TVox DR P6 dr1: Il Master master1 non risponde\. Verificare se il Master è acceso .*\(dr\.master\.unreachable\)$/);
  });

  await t.step('the Master is started: everybody is told once that it is over', async () => {
    await master.start();
    await until('the clear mail', () => mails().length > 1);
    for (const to of MOBILES) await until(`the clear SMS for ${to}`, () => texts(to).length > 1);
    assert.deepEqual(mails().map((one) => one.title), [`[TVox DR] P6 dr1: ${silent}`, '[TVox DR] RIENTRATO P6 dr1: Il Master master1 risponde di nuovo']);
    for (const to of MOBILES) {
      assert.equal(texts(to).length, 2, JSON.stringify(gateway.messages()));
      assert.match(texts(to)[1], /^TVox DR RIENTRATO P6 dr1: Il Master master1 risponde di nuovo \(dr\.master\.reachable\)$/);
    }
  });

  await t.step('the list of what is open is empty, and the history has it', async () => {
    await go(c, 'Allarmi');
    await shows(c, 'no open alarm', c.getByText('Nessun allarme attivo'));
    await field(c, 'Stato').selectOption({ label: 'Tutti, anche rientrati' });
    await button(c, 'Cerca').click();
    await shows(c, 'all messages sent', row(silent).filter({ hasText: 'Rientrato' }).getByText('Inviato: 6'));
  });

  await t.step('what was set and tried is in the audit log, without any secret', async () => {
    await go(c, 'Registro');
    const told = await c.locator('tbody').innerText();
    for (const word of ['smtp.set', 'smtp.test', 'sms.account.add', 'sms.account.default', 'sms.account.remove', 'sms.test', 'thresholds.set', 'threshold.reset', 'alarm.ack', 'Configurazione SMTP']) {
      assert.ok(told.includes(word), `${word} in ${told}`);
    }
  });

  await t.step('no page complained in the browser’s console', () => assert.deepEqual(complaints(c), []));
});
