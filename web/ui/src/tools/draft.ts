// What stands in the fields of a form, as arguments or as what is wrong with them. A field that was left as it was is
// not sent: the tool's own default holds.

import type { Args } from '../wire';
import type { FieldSpec } from './schema';

/** By field: the text as typed; `yes` or `no` for switches; empty where nothing was given. */
export type Draft = Record<string, string>;

export interface Reading { args: Args; faults: Record<string, string> }

export function emptyDraft(fields: FieldSpec[]): Draft {
  return Object.fromEntries(fields.map((field) => [field.name, '']));
}

/** Values from a link or from an earlier call. */
export function draftFrom(fields: FieldSpec[], args: Record<string, unknown>): Draft {
  const draft = emptyDraft(fields);
  for (const field of fields) {
    const value = args[field.name];
    if (value === undefined || value === null) continue;
    if (field.kind === 'boolean') draft[field.name] = value === true || value === 'true' ? 'yes' : 'no';
    else if (field.kind === 'list' && Array.isArray(value)) draft[field.name] = value.join('\n');
    else draft[field.name] = typeof value === 'string' ? value : JSON.stringify(value);
  }
  return draft;
}

export function readDraft(fields: FieldSpec[], draft: Draft): Reading {
  const reading: Reading = { args: {}, faults: {} };
  for (const field of fields) {
    const text = draft[field.name] ?? '';
    if (text === '') {
      if (field.required && field.kind === 'boolean') reading.args[field.name] = false;
      else if (field.required && field.kind === 'long') reading.args[field.name] = '';
      else if (field.required) reading.faults[field.name] = 'needed';
      continue;
    }
    const value = valueOf(field, text);
    if (value instanceof Fault) reading.faults[field.name] = value.words;
    else reading.args[field.name] = value;
  }
  return reading;
}

class Fault {
  constructor(readonly words: string) {}
}

function valueOf(field: FieldSpec, text: string): unknown {
  switch (field.kind) {
    case 'boolean': return text === 'yes';
    case 'integer':
    case 'number': return numberOf(field, text);
    case 'choice': return field.choices.some((choice) => choice.value === text) ? text : new Fault('not one of the choices');
    case 'list': return text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
    case 'json': return jsonOf(text);
    default: return textOf(field, text);
  }
}

function numberOf(field: FieldSpec, text: string): number | Fault {
  const value = Number(text.trim());
  if (text.trim() === '' || !Number.isFinite(value)) return new Fault('not a number');
  if (field.kind === 'integer' && !Number.isSafeInteger(value)) return new Fault('a whole number is needed');
  if (field.least !== undefined && value < field.least) return new Fault(`at least ${field.least}`);
  if (field.most !== undefined && value > field.most) return new Fault(`at most ${field.most}`);
  return value;
}

function textOf(field: FieldSpec, text: string): string | Fault {
  const length = [...text].length;
  if (field.shortest !== undefined && length < field.shortest) return new Fault(`${field.shortest - length} more characters`);
  if (field.longest !== undefined && length > field.longest) return new Fault(`${length - field.longest} characters too many`);
  return text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return new Fault('not JSON');
  }
}
