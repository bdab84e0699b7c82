// Every page of the table, on both machines, in both languages, with and without JavaScript: it is there, it speaks one
// language, it can be used by keyboard, on a small screen and by those who do not see. Leaves pictures of all of them.
// timeout: 600
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { browser, openAs } from '../lib/browser.mjs';
import { associated } from '../lib/machine.mjs';
import { Pbx } from '../lib/pbx.mjs';
import { ROUTES } from '../lib/routes.mjs';
import { output, story, until } from '../lib/story.mjs';

const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const RULES = { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] } };

// What is done on each page, for the keyboard.
const ACTIONS = {
  Login: 'form[action="/login"] button',
  Overview: '.page-buttons a',
  Monitor: '.page-buttons a',
  Alarms: '.filter button',
  Activation: '.page-buttons a',
  Runs: '.page-buttons a',
  Licence: '#licence-form button',
  Replication: '.task-form button',
  Pairing: 'button[form=peer-form]',
  Datasets: '#dataset-form button',
  Services: '#service-form button',
  Isolation: 'a[href^="/isolamento?ip="]',
  Telephony: 'button[form=telephony-form]',
  Procedure: 'a[href^="/procedura?new="]',
  Thresholds: 'button[form=thresholds-form]',
  Smtp: 'button[form=smtp-form]',
  Sms: 'a[href="/sms?new=1"]',
  Users: 'form .columns ~ button',
  Audit: '.page-buttons a',
  Account: 'button[form=password-form]',
};
const PAGES = ROUTES.flatMap((route) => [{ ...route, action: ACTIONS[route.id] },
  // The same page with an account being written.
  ...route.id === 'Sms' ? [{ ...route, target: '/sms?new=1', action: 'button[form=sms-account-form]' }] : [],
  ...route.id === 'Isolation' ? [{ ...route, target: '/isolamento?ip=127.0.0.1&way=ipmi', action: 'button[form=power-form]' }] : [],
  ...route.id === 'Procedure' ? [{ ...route, target: '/procedura?new=manual', action: '#step-form button.primary' }] : []]);

// Words that would betray the other language; names, code and data of the product are not looked at.
const FOREIGN = {
  it: /\b(the|and|with|password must|user name|refresh|save|cancel|replication|licence|overview|audit log|never|none yet|not associated|up to date|add|remove|search|required)\b/i,
  en: /\b(il|della|delle|sono|questa|utente|salva|annulla|aggiorna|replicazione|licenza|registro|mai|nessun[ao]?|aggiungi|togli|rimuovi|cerca|campo)\b/i,
};

await story(async (t) => {
  const { master, client } = await associated(t);
  const pbx = await Pbx.at(t.root);
  const cookies = { master: await master.settle(), client: await client.settle() };
  for (const [name, kind, source, target] of [['configurazione', 'files', pbx.etc, 'etc'], ['registrazioni', 'files', pbx.sounds, 'sounds'], ['chiamate', 'sqlite', pbx.database, 'kamailio.sqlite']]) {
    await master.ok(['dataset', 'add', name, '--kind', kind, '--source', source, '--target', pbx.target(target)]);
  }
  const command = ['--start', 'touch pbx.up', '--stop', 'rm pbx.up', '--check', 'false', '--timeout', '1'].map((one) => one.replace('pbx.up', path.join(t.root, 'pbx.up')));
  // A unit that nobody can ask about is not seen down, and what may be serving receives nothing: on the Master only.
  await master.ok(['service', 'add', 'kamailio', '--unit', 'kamailio.service']);
  for (const machine of [master, client]) await machine.ok(['service', 'add', 'pbx', ...command]);
  for (const address of ['noc@example.com', 'sala.operativa@example.com']) await client.ok(['recipient', 'add', 'email', address]);
  await client.ok(['recipient', 'add', 'sms', '+393471234567']);
  // On the Client as it is used; on the Master as it is found.
  await client.ok(['smtp', 'set', '--server', 'mail.example.com', '--security', 'starttls', '--from', 'tvox-dr@example.com', '--user', 'tvox', '--password-stdin'], { input: 'segreta' });
  for (const name of ['principale', 'di-riserva']) {
    await client.ok(['sms', 'account', 'add', name, '--url', `https://${name}.example.com/cgi-bin/sendsms?username=tvox&password={secret}&to={to}&text={text}`, '--method', 'GET', '--secret-stdin'], { input: 'segreta' });
  }
  await client.ok(['threshold', 'set', 'peer.bad', '5']);
  for (const machine of [master, client]) {
    await machine.ok(['user', 'add', 'carla', '--role', 'operator'], { input: 'una password lunga' });
    await machine.ok(['user', 'add', 'vittorio-osservatore', '--role', 'viewer'], { input: 'una password lunga' });
  }
  await until('the first copy', async () => (await client.json(['sync', 'status'])).datasets.filter((one) => one.state === 'current').length === 3);
  await client.ok(['sync', 'full', '--wait']);
  // An alarm that somebody took note of, with messages that cannot be sent, and one that has ended.
  for (const machine of [master, client]) {
    const alarms = async (code) => (await machine.json(['alarm', 'list'])).alarms.filter((one) => one.code === code);
    // The recipients came after the start: an alarm of before has no messages.
    for (const set of [['probe.interval_ms', '200'], ['disk.min_free_percent', '0']]) await machine.ok(['threshold', 'set', ...set]);
    await until('the disk is no alarm', async () => (await alarms('dr.disk.low')).length === 0);
    await machine.ok(['threshold', 'set', 'disk.min_free_percent', '90']);
    await until('the disk is an alarm', async () => (await alarms('dr.disk.low')).length === 1);
    const [{ id }] = await alarms('dr.disk.low');
    await machine.ok(['alarm', 'ack', id, '--note', 'Visto: si libera spazio']);
    await machine.ok(['threshold', 'reset', 'probe.interval_ms']);
  }
  await client.ok(['sync', 'stop', '--only', 'files']);
  await until('the stop is an alarm', async () => (await client.json(['alarm', 'list'])).alarms.some((one) => one.code === 'dr.sync.stopped'));
  await client.ok(['sync', 'start', '--only', 'files']);
  const chromium = await browser(t);
  const pictures = path.join(output, 'screens');
  fs.mkdirSync(pictures, { recursive: true });

  for (const machine of [master, client]) {
    for (const lang of ['it', 'en']) {
      for (const javaScript of [true, false]) {
        const member = await openAs(t, chromium, machine, cookies[machine.role], { javaScript });
        const stranger = await openAs(t, chromium, machine, `tvox-dr-lang=${lang}`, { javaScript });
        await member.context().addCookies([{ name: 'tvox-dr-lang', value: lang, url: machine.url }]);
        for (const route of PAGES.filter((one) => !one.only || one.only === machine.role)) {
          const how = `${machine.role} ${route.target} in ${lang === 'it' ? 'Italian' : 'English'} ${javaScript ? 'with' : 'without'} JavaScript`;
          await t.check(how, async () => {
            const page = route.stranger ? stranger : member;
            const mistakes = [];
            const expect = (holds, what) => { if (!holds) mistakes.push(what); };
            page.complaints.length = 0;
            await page.setViewportSize({ width: 1440, height: 900 });
            const answer = await page.goto(route.target);
            assert.equal(answer.status(), 200);
            // On the Master the page of the button says in its title that this is the wrong machine.
            const wrong = { it: ': questa NON è la macchina DR', en: ': this is NOT the DR machine' }[lang];
            const title = route[lang] + (route.id === 'Activation' && machine === master ? wrong : '');
            assert.equal(await page.title(), `${title} · ${machine.name} · TVox DR`);
            assert.equal(await page.locator('html').getAttribute('lang'), lang);
            assert.equal(await page.locator('h1').innerText(), title);
            if (javaScript && !route.stranger) await page.locator('.menu-search').waitFor();

            // Data, names and code are nobody's language; the other language's switch is its own.
            const words = await page.evaluate(() => {
              const copy = document.body.cloneNode(true);
              for (const other of copy.querySelectorAll('code, script, .machine-words, [lang], .token, td:first-child, .details, th[scope=row]')) other.remove();
              return [copy.textContent, ...[...copy.querySelectorAll('[aria-label],[title],[placeholder]')].flatMap((one) => ['aria-label', 'title', 'placeholder'].map((name) => one.getAttribute(name) ?? ''))].join('\n');
            });
            const foreign = FOREIGN[lang].exec(words);
            expect(!foreign, `a word of the other language: ${foreign && words.slice(Math.max(0, foreign.index - 40), foreign.index + 60).replace(/\s+/g, ' ')}`);

            // Colours do not depend on the language, nor on JavaScript.
            for (const colorScheme of lang === 'it' && javaScript ? ['dark', 'light'] : ['light']) {
              await page.emulateMedia({ colorScheme });
              await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished)));
              for (const width of [1440, 360]) {
                await page.setViewportSize({ width, height: width === 360 ? 740 : 900 });
                const wide = await page.evaluate(() => ({ has: document.documentElement.scrollWidth, may: document.documentElement.clientWidth }));
                expect(wide.has <= wide.may, `at ${width} px it scrolls sideways: ${wide.has} px`);
                // axe needs JavaScript to look; the drawing is the same without.
                if (javaScript) {
                  const found = await page.evaluate(async ([axe, rules]) => {
                    if (!window.axe) (0, Function)(axe)();
                    return (await window.axe.run(document, rules)).violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).slice(0, 3).join(' | ')}`);
                  }, [axe, RULES]).catch((error) => [`axe did not run: ${error.message}`]);
                  for (const one of found) expect(false, `at ${width} px, ${colorScheme}: ${one}`);
                  if (lang === 'it') await page.screenshot({ path: path.join(pictures, `${machine.role}-${route.target.slice(1).replace(/\W/g, '-') || 'panorama'}-${width}-${colorScheme}.png`), fullPage: true });
                }
              }
            }
            expect(page.complaints.length === 0, `the browser’s console: ${page.complaints.join(' | ')}`);
            assert.deepEqual(mistakes, []);
          });

          if (lang !== 'it') continue;
          await t.check(`${how}: what is done there is reached and seen by Tab alone`, async () => {
            assert.ok(route.action, `say in ACTIONS what is done on ${route.id}`);
            const page = route.stranger ? stranger : member;
            await page.emulateMedia({ colorScheme: 'light' });
            await page.setViewportSize({ width: 1440, height: 900 });
            await page.goto(route.target);
            if (javaScript && !route.stranger) await page.locator('.menu-search').waitFor();
            await page.locator(route.action).first().waitFor();
            const seen = [];
            for (let presses = 0; presses < 120; presses += 1) {
              await page.keyboard.press('Tab');
              const at = await page.evaluate((wanted) => {
                const one = document.activeElement;
                const style = getComputedStyle(one);
                const box = one.getBoundingClientRect();
                return { wanted: one.matches(wanted), body: one === document.body, what: `${one.tagName} ${one.id || one.textContent.trim().slice(0, 30)}`,
                  visible: box.width > 0 && box.height > 0, ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none' };
              }, route.action);
              if (at.body) break;
              seen.push(at.what);
              assert.ok(at.visible, `the focus is on something unseen: ${at.what}`);
              if (at.wanted) {
                assert.ok(at.ring, `the focus cannot be seen on ${at.what}`);
                return;
              }
            }
            assert.fail(`never reached; the way was ${seen.join(' → ')}`);
          });
        }
        await member.context().close();
        await stranger.context().close();
      }
    }
  }

  await t.check('the other machine’s page says where it is', async () => {
    for (const [machine, target, where] of [[master, '/replicazione', 'TVox DR Client'], [client, '/dati', 'TVox Master']]) {
      const answer = await machine.ask('GET', target, { cookie: cookies[machine.role] });
      assert.equal(answer.status, 404);
      assert.ok(answer.text.includes(`Questa pagina si trova sul ${where}`), target);
    }
  });
});
