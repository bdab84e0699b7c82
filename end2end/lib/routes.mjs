// The product's one table of pages, read where it is written: a page that is added there is looked at here.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';

const TABLE = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../app/src/routes.rs');
const ROW = /route\(\s*PageId::(\w+),\s*"([^"]+)",\s*(None|Some\([^)]*\)),\s*(?:None|Some\(NodeRole::(\w+)\)),\s*(?:\/\/[^\n]*\s*)*\("([^"]+)",\s*"([^"]+)"\)/g;

/** Every page: its path, who may see it without a session, on which machine it is, its two titles. */
export const ROUTES = (() => {
  const text = fs.readFileSync(TABLE, 'utf8').replace(/[\s\S]*pub const ROUTES[^[]*/, '').replace(/\n\];[\s\S]*/, '');
  const rows = [...text.matchAll(ROW)].map(([, id, target, role, side, it, en]) => ({ id, target, stranger: role === 'None', only: side?.toLowerCase(), it, en }));
  assert.equal(rows.length, text.match(/PageId::/g)?.length, 'every row of the table can be read');
  return rows;
})();

/** The pages of one machine that need a session. */
export const pagesOf = (role) => ROUTES.filter((one) => !one.stranger && (!one.only || one.only === role)).map((one) => one.target);
