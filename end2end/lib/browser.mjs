// A browser with a profile of its own, and what a person does in a panel: log in, fill in, press, read. Things are
// found as a person finds them, by label and by role.
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';
import { PASSWORD } from './machine.mjs';
import { until } from './story.mjs';

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

export async function browser(teller) {
  const launched = await chromium.launch({ executablePath: process.env.TVOX_DR_CHROMIUM ?? '/usr/bin/chromium', args: FLAGS });
  teller.atEnd(() => launched.close());
  return launched;
}

/** What the browser's console said of errors, but for those that the story made: forms that came back, machines that were killed. */
export const complaints = (page) => page.complaints.filter((text) => !/^Failed to load resource: (the server responded with a status of 422|net::ERR_)/.test(text));

/** A window on one machine's panel. */
export async function open(teller, launched, machine, { javaScript = true, ...more } = {}) {
  const context = await launched.newContext({ baseURL: machine.url, javaScriptEnabled: javaScript, ignoreHTTPSErrors: machine.tls,
    viewport: { width: 1280, height: 900 }, locale: 'it-IT', ...more });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  teller.pages.add(page);
  page.machine = machine;
  page.javaScript = javaScript;
  page.complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') page.complaints.push(`${message.text()} (${message.location().url})`); });
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  return page;
}

/** An input by its label, with or without the star of what is required; not the help beside it, which is called alike. */
export const field = (page, name) => page.locator('input, textarea, select').and(page.getByLabel(new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\s*\\*?$`)));
export const button = (page, name) => page.getByRole('button', { name, exact: true });

/** Does what posts a form, and waits for the page that comes of it; answers the status of the post (303: done, 422: not accepted). */
export async function posting(page, body) {
  const posted = page.waitForResponse((response) => response.request().method() === 'POST' && response.request().isNavigationRequest());
  const shown = page.waitForEvent('load');
  const [response] = await Promise.all([posted, shown, body()]);
  return response.status();
}

export const press = (page, locator) => posting(page, () => locator.click());

/** What the page says of the last form, in green. */
export async function said(page, text) {
  await page.locator('.notice.good', { hasText: text }).waitFor();
}

/** Goes to a page by the menu. */
export async function go(page, label) {
  const link = page.getByRole('navigation', { name: /Menù principale|Main menu/ }).getByRole('link', { name: label, exact: true });
  await link.click();
  await page.getByRole('heading', { level: 1, name: label, exact: true }).waitFor();
}

export async function login(page, { user = 'admin', password = page.machine.password } = {}) {
  await page.goto('/login');
  await field(page, 'Nome utente').fill(user);
  await field(page, 'Password').fill(password);
  return press(page, button(page, 'Accedi'));
}

/** The first login: the random password opens nothing but the page where another is chosen. */
export async function firstLogin(page) {
  const { machine } = page;
  assert.equal(await login(page), 303);
  assert.equal(new URL(page.url()).pathname, '/account', 'the first login leads to the choice of a password');
  await page.goto('/disaster-recovery');
  assert.equal(new URL(page.url()).pathname, '/account', 'and nowhere else');
  await field(page, 'Password attuale').fill(machine.firstPassword);
  await field(page, 'Nuova password').fill(PASSWORD);
  await field(page, 'Ripeti la nuova password').fill(PASSWORD);
  assert.equal(await press(page, button(page, 'Salva')), 303);
  machine.password = PASSWORD;
  assert.equal(new URL(page.url()).pathname, '/');
}

/** A window that is logged in by a cookie made without the browser: for stories about something else. */
export async function openAs(teller, launched, machine, cookie, options) {
  const page = await open(teller, launched, machine, options);
  const at = cookie.indexOf('=');
  await page.context().addCookies([{ name: cookie.slice(0, at), value: cookie.slice(at + 1), url: machine.url }]);
  return page;
}

/** Waits until a page shows something: by itself where JavaScript runs, by *Aggiorna* where it does not. */
export async function shows(page, what, locator, { within = 30_000 } = {}) {
  if (page.javaScript) {
    await locator.first().waitFor({ timeout: within }).catch((error) => {
      throw new Error(`${page.machine.name}'s page never showed: ${what}\n${error.message}`);
    });
    return;
  }
  await until(`${page.machine.name}'s page shows: ${what}`, async () => {
    if (await locator.first().isVisible()) return true;
    await page.getByRole('link', { name: 'Aggiorna', exact: true }).click();
    return locator.first().isVisible();
  }, { within, every: 250 });
}

/** From now on, loading the page anew is noticed. */
export async function mark(page) {
  await page.evaluate(() => { window.stillTheSamePage = true; });
}

export async function assertNotReloaded(page) {
  assert.equal(await page.evaluate(() => window.stillTheSamePage), true, 'the page was not loaded again');
}
