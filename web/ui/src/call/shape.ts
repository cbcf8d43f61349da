// How a tool's output is best shown, judged by its shape alone: tools that nobody here knows of look right too.

export type Shape =
  | { kind: 'nothing' }
  | { kind: 'log'; lines: string[]; cut: boolean }
  | { kind: 'diff'; diff: string }
  | { kind: 'text'; text: string }
  | { kind: 'table'; name: string; columns: string[]; rows: Record<string, unknown>[]; rest: [string, unknown][] }
  | { kind: 'fields'; fields: [string, unknown][] };

export function shapeOf(output: unknown): Shape {
  if (output === null || output === undefined) return { kind: 'nothing' };
  if (typeof output === 'string') return isDiff(output) ? { kind: 'diff', diff: output } : { kind: 'text', text: output };
  if (typeof output !== 'object') return { kind: 'text', text: String(output) };
  if (Array.isArray(output)) return ofList('', output, []);
  return ofObject(output as Record<string, unknown>);
}

function ofObject(output: Record<string, unknown>): Shape {
  const entries = Object.entries(output);
  if (entries.length === 0) return { kind: 'nothing' };
  if (Array.isArray(output['lines']) && output['lines'].every((line) => typeof line === 'string')) {
    return { kind: 'log', lines: output['lines'], cut: output['cut'] === true };
  }
  if (typeof output['diff'] === 'string' && output['diff'] !== '') return { kind: 'diff', diff: output['diff'] };
  const lists = entries.filter(([, value]) => isTable(value));
  if (lists.length === 1) {
    const [name, list] = lists[0] as [string, unknown[]];
    return ofList(name, list, entries.filter(([key]) => key !== name));
  }
  return { kind: 'fields', fields: entries };
}

function ofList(name: string, list: unknown[], rest: [string, unknown][]): Shape {
  if (list.length > 0 && list.every((one) => typeof one === 'string')) return { kind: 'log', lines: list as string[], cut: false };
  if (!isTable(list)) return { kind: 'fields', fields: list.map((one, at) => [String(at), one]) };
  const rows = list as Record<string, unknown>[];
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  return { kind: 'table', name, columns, rows, rest };
}

const isTable = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row));

const isDiff = (text: string) => /^(diff --git |--- \S)/.test(text) && text.includes('\n@@ ');

/** A value in a cell or behind a name: short, on one line. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isInteger(value) ? String(value) : String(Math.round(value * 100) / 100);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value) && value.every((one) => typeof one !== 'object')) return value.map(cell).join(', ') || '–';
  return JSON.stringify(value);
}

const sizes = /(^|_)(bytes|used|total|available|limit|size|cache|free)$|^memory_/;

/** Numbers of bytes are told by their name, when they are large enough to be nothing else. */
export const isBytes = (name: string, value: unknown): value is number => typeof value === 'number' && value >= 65_536 && sizes.test(name);
