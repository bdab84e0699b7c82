// What is copied. The same in every run: a generator that starts from the same number each time.
import fs from 'node:fs';
import path from 'node:path';

/** Numbers that look random and are the same each time (xorshift). */
export class Numbers {
  constructor(seed) {
    this.state = seed >>> 0 || 1;
  }

  next() {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state;
  }

  below(limit) {
    return this.next() % limit;
  }

  /** Bytes that do not compress. */
  bytes(length) {
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i += 1) words[i] = this.next();
    return Buffer.from(words.buffer, 0, length);
  }

  /** Bytes as in a configuration file: they compress about as text does. */
  text(length) {
    const words = ['exten', 'same', 'Dial', 'SIP', 'hint', 'context', 'priority', 'callerid', '192.0.2.', 'secret', 'yes', 'no'];
    let text = '';
    while (text.length < length) text += `${words[this.below(words.length)]}=${this.next().toString(36)}${this.below(5) ? ' ' : '\n'}`;
    return Buffer.from(text.slice(0, length));
  }
}

/** D1: many small files (0.5–8 kB) in three levels, ten and more in a folder. Answers their paths. */
export function smallFiles(root, count) {
  const numbers = new Numbers(1);
  const paths = [];
  for (let i = 0; i < count; i += 1) {
    const folder = Math.floor(i / 10) % 2000;
    const dir = path.join(root, `d${folder % 20}`, `e${Math.floor(folder / 20) % 10}`, `f${Math.floor(folder / 200)}`);
    if (i < 20_000 && i % 10 === 0) fs.mkdirSync(dir, { recursive: true });
    const file = path.join(dir, `n${i}.conf`);
    fs.writeFileSync(file, numbers.text(512 + numbers.below(7680)));
    paths.push(file);
  }
  return paths;
}

/** D2: files of one megabyte that do not compress. */
export function largeFiles(root, count) {
  const numbers = new Numbers(2);
  for (let i = 0; i < count; i += 1) fs.writeFileSync(path.join(root, `recording-${i}.wav`), numbers.bytes(1 << 20));
}

/** D3: one file of so many megabytes. */
export function hugeFile(file, megabytes) {
  const numbers = new Numbers(3);
  const fd = fs.openSync(file, 'w');
  for (let i = 0; i < megabytes; i += 1) fs.writeSync(fd, numbers.bytes(1 << 20));
  fs.closeSync(fd);
}

/** Rewrites one page of 4 kB in a hundred, in place. Answers the bytes that changed. */
export function changePages(file, seed) {
  const numbers = new Numbers(seed);
  const pages = fs.statSync(file).size / 4096;
  const chosen = new Set();
  while (chosen.size < pages / 100) chosen.add(numbers.below(pages));
  const fd = fs.openSync(file, 'r+');
  for (const page of chosen) fs.writeSync(fd, numbers.bytes(4096), 0, 4096, page * 4096);
  fs.closeSync(fd);
  return chosen.size * 4096;
}

/** Writes one file in a hundred anew, by a new file and a rename as editors do. Answers the last one's path. */
export function changeFiles(paths, seed) {
  const numbers = new Numbers(seed);
  let last;
  for (let i = seed % 100; i < paths.length; i += 100) {
    last = paths[i];
    fs.writeFileSync(`${last}.new`, numbers.text(512 + numbers.below(7680)));
    fs.renameSync(`${last}.new`, last);
  }
  return last;
}
