// A story is told in sentences: each is printed as `ok - …` or `not ok - …`, which is what the runner counts. A sentence
// that does not hold leaves a picture of every open page in the story's folder and ends the story: what comes after
// would only fail because of it. `check` is for rows of a table, which do not depend on each other.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const PATIENCE = 30_000;

/** Where a story leaves what a person may want to look at. */
export const output = process.env.TVOX_DR_OUTPUT ?? fs.mkdtempSync(path.join(os.tmpdir(), 'tvox-dr-output-'));

/** Waits until `look` answers something true, by looking; says what never came to pass, and what was seen instead. */
export async function until(what, look, { within = PATIENCE, every = 100 } = {}) {
  const end = Date.now() + within;
  let seen;
  for (;;) {
    try {
      seen = await look();
      if (seen) return seen;
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      seen = error;
    }
    if (Date.now() > end) throw new Error(`never came to pass: ${what} (last seen: ${seen?.message ?? JSON.stringify(seen)})`);
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}

class Ended extends Error {}

class Teller {
  constructor() {
    /** A folder that is gone when the story ends. */
    this.root = fs.mkdtempSync(path.join(os.tmpdir(), 'tvox-dr-story-'));
    this.failed = 0;
    this.pictures = 0;
    this.last = [];
    this.pages = new Set();
  }

  /** Runs `undo` when the story ends, however it ends; the newest first. */
  atEnd(undo) {
    this.last.unshift(undo);
  }

  async picture(page, name) {
    await page.screenshot({ path: path.join(output, `${name}.png`), fullPage: true, timeout: 5000 });
  }

  async #failure(sentence, error) {
    this.failed += 1;
    console.log(`not ok - ${sentence}`);
    // Without the colours of a terminal.
    console.log(String(error?.stack ?? error).replace(/\u001b\[\d+m/g, '').replace(/^/gm, '    '));
    for (const page of this.pages) {
      if (page.isClosed()) continue;
      const name = `failure-${(this.pictures += 1)}`;
      console.log(`    ${name}.png: ${page.url()}`);
      await this.picture(page, name).catch((why) => console.log(`    no picture: ${why.message}`));
    }
  }

  /** A sentence on which the rest depends. */
  async step(sentence, body) {
    const started = Date.now();
    try {
      const value = await body();
      console.log(`ok - ${sentence} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
      return value;
    } catch (error) {
      await this.#failure(sentence, error);
      throw new Ended(sentence);
    }
  }

  /** A sentence beside others. */
  async check(sentence, body) {
    try {
      await body();
      console.log(`ok - ${sentence}`);
    } catch (error) {
      await this.#failure(sentence, error);
    }
  }

  /** A sentence that ought to hold and is known not to: skipped, and a failure as soon as it does hold. */
  async known(sentence, body) {
    let why;
    try {
      await body();
    } catch (error) {
      why = String(error?.message ?? error).split('\n')[0];
    }
    if (why) console.log(`skipped - ${sentence}: known not to hold: ${why}`);
    else await this.#failure(sentence, 'it holds by now: make it a check');
  }
}

/** Tells one story and ends the process. */
export async function story(body) {
  const teller = new Teller();
  // What a killed story would leave: its nodes hold no more than this folder.
  process.on('exit', () => fs.rmSync(teller.root, { recursive: true, force: true }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
  try {
    await body(teller);
  } catch (error) {
    if (!(error instanceof Ended)) {
      teller.failed += 1;
      console.log(`not ok - the story is told to its end\n${String(error?.stack ?? error).replace(/^/gm, '    ')}`);
    }
  }
  for (const undo of teller.last) await Promise.resolve(undo(teller.failed > 0)).catch((error) => console.log(`    at the end: ${error.message}`));
  process.exit(teller.failed ? 1 : 0);
}
