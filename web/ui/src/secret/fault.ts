// What is wrong with a secret or with the text of a `.env` file, by field. The server checks the same and has the last
// word; its sentence tells which field it is about. No sentence repeats a value. Pure.

import { plural } from '../text/format';
import type { SecretUse } from '../wire';
import { isName } from './name';

export type Faults = Record<string, string>;

export interface Given { name: string; value: string; note: string; uses: SecretUse[] }

const SHORTEST = 8;
const LONGEST = 16 * 1024;
const LONGEST_NOTE = 200;
const LONGEST_TEXT = 256 * 1024;
export const MOST_USES = 20;

export const bytesOf = (text: string) => new TextEncoder().encode(text).length;
const trimmed = ({ tool, target }: SecretUse): SecretUse => ({ tool: tool.trim(), target: target.trim() });

/** The rows in which something stands. */
export const usesOf = (rows: readonly SecretUse[]) => rows.map(trimmed).filter(({ tool, target }) => tool !== '' || target !== '');

/** What stands there and is wrong. */
export function wrongIn({ name, value, note, uses }: Given, taken: readonly string[]): Faults {
  const faults: Faults = {};
  if (name !== '' && !isName(name)) faults.name = '1 to 64 of A-Z, a-z, 0-9, _ . and -';
  else if (taken.includes(name)) faults.name = 'is kept already: change it in the list, or choose another name';
  const size = bytesOf(value);
  if (size > 0 && size < SHORTEST) faults.value = `at least ${SHORTEST} bytes; there ${size === 1 ? 'is 1' : `are ${size}`}`;
  else if (size > LONGEST) faults.value = `${plural(size - LONGEST, 'byte')} too many`;
  const length = [...note.trim()].length;
  if (length > LONGEST_NOTE) faults.note = `${plural(length - LONGEST_NOTE, 'character')} too many`;
  uses.map(trimmed).forEach(({ tool, target }, at, all) => {
    const same = (other: SecretUse) => other.tool === tool && other.target === target;
    if (tool !== '' && target !== '' && all.findIndex(same) < at) faults[`uses[${at}]`] = 'stands there twice';
  });
  if (usesOf(uses).length > MOST_USES) faults.uses = `at most ${MOST_USES}`;
  return faults;
}

/** What does not stand there yet. Only a new secret needs a value. */
export function missingIn({ name, value, uses }: Given, isNew: boolean): Faults {
  const faults: Faults = {};
  if (name === '') faults.name = 'needed';
  if (isNew && value === '') faults.value = 'needed';
  uses.map(trimmed).forEach(({ tool, target }, at) => {
    if ((tool === '') !== (target === '')) faults[`uses[${at}]`] = 'name a tool and a target; * stands for anything';
  });
  return faults;
}

/** Blanks at an end are easily copied along, and kept as well. */
export const hasBlankEnds = (value: string) => /^\s|[^\S\n]$/.test(value);

/** The field that a sentence of the server is about; empty when it is about the whole. */
export function fieldOf(detail: string): string {
  // What it says of a value does not begin with the field.
  if (/^(a secret (has|is)|it reads like) /.test(detail)) return 'value';
  return /^(?:a secret's )?(name|value|note|uses(?:\[\d+\])?)(?![A-Za-z0-9_-])/.exec(detail)?.[1] ?? '';
}

/** What is wrong with the size of a `.env` file. */
export const sizeFault = (size: number): string | undefined => (size > LONGEST_TEXT ? 'at most 256 KiB' : undefined);
