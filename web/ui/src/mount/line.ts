// How a server is reached, as it is typed, and what is wrong with it, by field. The server checks the same and has the
// last word; its sentence tells which field it is about. No sentence repeats a value. Pure.

import type { MountBody, MountInfo } from '../wire';

export type Faults = Record<string, string>;

/** Lists stand one a line. */
export interface Given {
  name: string;
  way: 'program' | 'url';
  program: string;
  args: string;
  environment: string;
  reads: string;
  writes: string;
  network: boolean;
  url: string;
  key: string;
  /** An emptied field holds none. */
  seconds: number | null | undefined;
}

export const LONGEST_CALL = 540;
const MOST_ARGS = 100;
const FEW = 50;

const lines = (text: string) => text.split(/\r?\n/).filter((line) => line.trim() !== '');
const trimmed = (text: string) => lines(text).map((line) => line.trim());
const variables = (given: Readonly<Record<string, string>> | undefined) => Object.entries(given ?? {}).map(([name, value]) => `${name}=${value}`);

export function givenOf(old: Pick<MountInfo, 'name' | 'line'> | null): Given {
  const { program, args = [], environment, reads = [], writes = [], network = false, url, key, seconds = 60 } = old?.line ?? {};
  return {
    name: old?.name ?? '',
    way: url == null ? 'program' : 'url',
    program: program ?? '',
    args: args.join('\n'),
    environment: variables(environment).join('\n'),
    reads: reads.join('\n'),
    writes: writes.join('\n'),
    network,
    url: url ?? '',
    key: key ?? '',
    seconds,
  };
}

function variablesOf(text: string): Record<string, string> {
  return Object.fromEntries(lines(text).map((line) => {
    const at = line.indexOf('=');
    return at < 0 ? [line.trim(), ''] : [line.slice(0, at).trim(), line.slice(at + 1)];
  }));
}

/** What is sent. A list that nobody touched stays as it is, whatever stands in it. */
export function bodyOf(given: Given, old: MountInfo | null): MountBody {
  const seconds = given.seconds ?? 0;
  if (given.way === 'url') return { url: given.url.trim(), ...(given.key.trim() !== '' && { key: given.key.trim() }), seconds };
  const was = givenOf(old);
  const kept = <T>(field: 'args' | 'environment' | 'reads' | 'writes', read: (text: string) => T, value: T | undefined): T =>
    given[field] === was[field] && value !== undefined ? value : read(given[field]);
  return {
    program: given.program.trim(),
    args: kept('args', lines, old?.line.args),
    environment: kept('environment', variablesOf, old?.line.environment),
    reads: kept('reads', trimmed, old?.line.reads),
    writes: kept('writes', trimmed, old?.line.writes),
    network: given.network,
    seconds,
  };
}

/** As safety/src/mount.rs has it. */
export const isName = (name: string) => /^[a-z][a-z0-9]{0,23}$/.test(name);
const isReference = (text: string) => /^secret:\/\/[A-Za-z0-9_.-]{1,64}$/.test(text);

/** What stands there and is wrong; `taken` are the names of the others. */
export function wrongIn(given: Given, taken: readonly string[]): Faults {
  const faults: Faults = {};
  if (given.name !== '' && !isName(given.name)) faults.name = '1 to 24 of a-z and 0-9, a letter first';
  else if (taken.includes(given.name)) faults.name = 'is mounted already: change it in the list, or choose another name';
  const { seconds } = given;
  if (seconds == null || !Number.isInteger(seconds) || seconds < 1 || seconds > LONGEST_CALL) faults.seconds = `a whole number from 1 to ${LONGEST_CALL}`;
  return { ...faults, ...(given.way === 'url' ? addressFaults(given) : programFaults(given)) };
}

function programFaults(given: Given): Faults {
  const faults: Faults = {};
  const program = given.program.trim();
  if (/\s/.test(program) && !program.startsWith('/')) faults.program = 'one program, without arguments: they go below, one a line';
  if (lines(given.args).length > MOST_ARGS) faults.args = `at most ${MOST_ARGS}`;
  for (const field of ['reads', 'writes'] as const) {
    const all = trimmed(given[field]);
    const odd = all.findIndex((path) => !path.startsWith('/') || path.split('/').some((part) => part === '.' || part === '..'));
    if (odd >= 0) faults[field] = `line ${odd + 1}: an absolute path without . and ..`;
    else if (all.length > FEW) faults[field] = `at most ${FEW}`;
  }
  const fault = variablesFault(given.environment);
  return fault ? { ...faults, environment: fault } : faults;
}

function variablesFault(text: string): string | undefined {
  const seen = new Set<string>();
  for (const [at, line] of lines(text).entries()) {
    const found = /^\s*([A-Za-z_]\w*)\s*=(.*)$/.exec(line);
    if (!found) return `line ${at + 1}: write NAME=VALUE, the name of letters, digits and _`;
    const [, name = '', value = ''] = found;
    if (seen.has(name)) return `${name} stands there twice`;
    if (value.startsWith('secret://') && !isReference(value)) return `${name} is no reference to a secret: write secret://name`;
    seen.add(name);
  }
  return seen.size > FEW ? `at most ${FEW}` : undefined;
}

function addressFaults({ url, key }: Given): Faults {
  const faults: Faults = {};
  if (url.trim() !== '') {
    const read = URL.canParse(url.trim()) ? new URL(url.trim()) : null;
    if (!read || !/^https?:$/.test(read.protocol)) faults.url = 'an address such as http://192.168.1.20:8000/mcp';
    else if (read.username || read.password) faults.url = 'without name or password; use a key';
    else if (read.hash) faults.url = 'without #';
  }
  if (key.trim() !== '' && !isReference(key.trim())) faults.key = 'a reference, never the key itself: secret://name';
  return faults;
}

/** What does not stand there yet. */
export function missingIn(given: Given): Faults {
  return {
    ...(given.name === '' && { name: 'needed' }),
    ...(given.way === 'program' && given.program.trim() === '' && { program: 'needed' }),
    ...(given.way === 'url' && given.url.trim() === '' && { url: 'needed' }),
  };
}

/** Whether a key or a password seems to be typed as it is. */
export const holdsKey = (environment: string) => lines(environment).some((line) => /^\w*(TOKEN|KEY|SECRET|PASS)\w*\s*=(?!secret:\/\/)./i.test(line.trim()));

/** The field that a sentence of the server is about; empty when it is about the whole. */
export function fieldOf(detail: string): string {
  if (/^`[^`]*` is (no name for a server|a family )/.test(detail)) return 'name';
  return /^(seconds|program|args|environment|reads|writes|url|key)(?![A-Za-z0-9_,])/.exec(detail)?.[1] ?? '';
}
