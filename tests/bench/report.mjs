// One record for each benchmark, as JSON for programs and as a table for people.

/** What a benchmark is expected to say of itself, in the order of the table. */
const columns = ['id', 'ratio', 'met', 'value', 'reference', 'unit', 'aim'];
const keys = ['id', 'value', 'unit', 'reference', 'ratio', 'aim', 'met', 'detail'];
const numeric = new Set(['ratio', 'value', 'reference']);
const digits = 4; /* that mean something */

/** What was counted stays; what was measured keeps four digits. */
export const rounded = (value) =>
  Number.isFinite(value) && !Number.isInteger(value) ? Number(value.toPrecision(digits)) : value;

const roundedAll = (value) => {
  if (Array.isArray(value)) return value.map(roundedAll);
  if (value === null || typeof value !== 'object') return rounded(value);
  return Object.fromEntries(Object.entries(value).map(([key, of]) => [key, roundedAll(of)]));
};

/**
 * A record of benchmark @id.
 * @value in @unit; @reference: the same of what it is compared with, measured in the same run.
 * @ratio: of the two, where it means something; @aim: in words; @met: whether, null if undecided.
 * @detail: all else that was measured.
 */
export function record(
  id,
  { value, unit, reference = null, ratio, aim, met = null, detail = {} },
) {
  const quotient = reference ? value / reference : null;

  return roundedAll({ id, value, unit, reference, ratio: ratio ?? quotient, aim, met, detail });
}

/** @words for the detail of a record that something went wrong meanwhile, if it did. */
export const wrongIf = (wrong, words) => (wrong ? { error: words } : {});

/** The record of a benchmark that could not be measured. */
export const failure = (id, error) =>
  record(id, { value: null, unit: '', aim: '', met: false, detail: { error: error.message } });

/** What is wrong with @one as a record, in words; an empty list if nothing is. */
export function faults(one) {
  const wrong = [];
  const finite = (key) => typeof one[key] === 'number' && Number.isFinite(one[key]);

  for (const key of keys) if (!(key in one)) wrong.push(`no ${key}`);
  if (one.detail?.error) wrong.push(one.detail.error);
  if (!finite('value') || one.value < 0) wrong.push(`value is ${one.value}`);
  for (const key of ['reference', 'ratio'])
    if (one[key] !== null && !finite(key)) wrong.push(`${key} is ${one[key]}`);
  for (const key of ['unit', 'aim'])
    if (typeof one[key] !== 'string' || one[key] === '') wrong.push(`${key} is empty`);
  if (one.met !== null && typeof one.met !== 'boolean') wrong.push(`met is ${one.met}`);
  return wrong;
}

function cell(one, column) {
  const value = one[column];

  if (column === 'met') return value === null ? '-' : value ? 'yes' : 'NO';
  if (value === null || value === undefined) return '-';
  return String(value);
}

/** Lines of columns as wide as they need to be; numbers stand right. */
function aligned(rows, isNumeric) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const pad = (text, i) => (isNumeric(i) ? text.padStart(widths[i]) : text.padEnd(widths[i]));

  return rows.map((row) => row.map(pad).join('  ').trimEnd());
}

const plain = (value) =>
  value !== null && typeof value === 'object' ? JSON.stringify(value) : String(value);

function detailLines(one) {
  return Object.entries(one.detail).map(([key, value]) => `     ${key.padEnd(20)} ${plain(value)}`);
}

/** The table: the ratios first, what they are made of below. */
export function table(records) {
  const heads = [columns, ...records.map((one) => columns.map((column) => cell(one, column)))];

  return [
    ...aligned(heads, (i) => numeric.has(columns[i])),
    ...records.flatMap((one) => ['', one.id, ...detailLines(one)]),
    '',
  ].join('\n');
}
