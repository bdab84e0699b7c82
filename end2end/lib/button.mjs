// What the stories of the button have in common: the telephone system that is up on one machine while its flag is there,
// what the header says, and the form that asks for everything at once.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { button, field, go, press, said } from './browser.mjs';
import { pagesOf } from './routes.mjs';
import { until } from './story.mjs';

/** The telephone system of one machine: up while its flag is there. It starts no sooner than it is let go. */
export class Telephones {
  constructor(root, machine) {
    this.machine = machine;
    this.flag = path.join(root, `${machine.name}.up`);
    this.door = path.join(root, `${machine.name}.may-start`);
  }

  get up() {
    return fs.existsSync(this.flag);
  }

  letGo() {
    fs.writeFileSync(this.door, '');
  }

  bar() {
    fs.rmSync(this.door, { force: true });
  }

  /** Declared as a person does it, on the page Servizi. */
  async declare(page) {
    await go(page, 'Servizi');
    await field(page, 'Nome').fill('pbx');
    await field(page, 'Comando di avvio').fill(`until test -e ${this.door}; do sleep 0.1; done; touch ${this.flag}`);
    await field(page, 'Comando di arresto').fill(`rm -f ${this.flag}`);
    await field(page, 'Comando di controllo').fill(`test -e ${this.flag}`);
    assert.equal(await press(page, button(page, 'Aggiungi')), 303);
    await said(page, 'Servizio salvato.');
    await page.getByRole('rowheader', { name: 'pbx', exact: true }).waitFor();
  }

  /** Waits until it is observed as it should be. */
  async are(word) {
    await until(`the telephones of ${this.machine.name} are ${word}`, async () => {
      const { services } = await this.machine.json(['status']);
      return services[0]?.observed === word && this.up === (word === 'up');
    });
  }
}

/** A tree of files that is replicated, current on the Client. */
export async function replicated(root, { master, client }) {
  const [source, target] = [path.join(root, 'etc'), path.join(root, 'replica-etc')];
  fs.mkdirSync(source);
  fs.writeFileSync(path.join(source, 'extensions.conf'), 'exten => 100');
  await master.ok(['dataset', 'add', 'etc', '--kind', 'files', '--source', source, '--target', target]);
  await until('the copy is there', async () => (await client.dataset('etc')).state === 'current' && fs.existsSync(path.join(target, 'extensions.conf')));
  return { source, target };
}

/** The form of one action on the page Attivazione. */
export const form = (page, action) => page.locator('form').filter({ has: page.locator(`input[name=action][value="${action}"]`) });

/** Fills in what is given, by the words beside each field; what is not given is left as it is. */
export async function fill(where, { reason, attest, accept, discard, name, password }) {
  if (reason !== undefined) await field(where, 'Motivo').fill(reason);
  if (attest !== undefined) await field(where, '127.0.0.1: chi l\'ha vista spenta, e come').fill(attest);
  if (accept) await where.getByLabel('Accetto di perdere questi dati').check();
  if (discard) await where.getByLabel('Accetto di scartare ciò che è stato creato sul DR').check();
  if (name !== undefined) await field(where, 'Nome di questa macchina').fill(name);
  if (password !== undefined) await field(where, 'Password').fill(password);
}

/** The page says no, for these reasons, and what was typed is still there, but for the password. */
export async function refused(page, where, rules, reason) {
  const told = await page.locator('.notice.bad[data-rule]').evaluateAll((all) => all.map((one) => one.dataset.rule));
  assert.deepEqual(told.sort(), [...rules].sort());
  assert.equal(new URL(page.url()).pathname, '/attivazione', 'it is the same page');
  assert.equal(await field(where, 'Motivo').inputValue(), reason, 'what was typed is kept');
  assert.equal(await field(where, 'Password').inputValue(), '', 'the password is not');
}

/** What the header says, with the colour that goes with it. */
export const header = (page, tone, text) => page.locator(`header .headline.${tone}`, { hasText: text });

/** One step of a run, in the words of its state. */
export const step = (page, name, state) => page.locator('.run-step').filter({ has: page.getByText(name, { exact: true }) }).getByText(state, { exact: true });

export const stance = (page, text) => page.locator('.stance', { hasText: text });

/** Whether every page of this machine has that header. */
export async function everyPageSays(page, tone, text) {
  for (const target of pagesOf(page.machine.role)) {
    await page.goto(target);
    await header(page, tone, text).waitFor();
  }
}

/** Nothing on the page is reached only by scrolling sideways, and what is to be pressed is there in full. */
export async function fitsThePhone(page, primary) {
  const width = page.viewportSize().width;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `the page is ${wide} px wide on a screen of ${width}`);
  if (!primary) return;
  const box = await primary.boundingBox();
  assert.ok(box && box.x >= 0 && box.x + box.width <= width, `what is to be pressed stands at ${JSON.stringify(box)}`);
}

/** What the audit log says, in the browser, and that it is whole. */
export async function registered(page, words) {
  await go(page, 'Registro');
  const told = await page.locator('tbody').innerText();
  for (const word of words) assert.ok(told.includes(word), `${word} in ${told}`);
  await page.getByRole('link', { name: 'Verifica integrità', exact: true }).click();
  await page.getByText('Registro integro.').waitFor();
}
