// What is said of a mounted server and of its tools in few plain words. Pure.

import { count, plural } from '../text/format';
import type { Mark } from '../text/state';
import type { Tier } from '../text/tier';
import { visible } from '../text/visible';
import type { MountBody, MountedToolInfo, MountInfo } from '../wire';

const marks: Record<string, Mark> = { up: 'ok', connecting: 'busy', down: 'bad' };
export const markOf = (state: string): Mark => marks[state] ?? 'unknown';

const word = (arg: string) => (/^[^\s"]+$/.test(arg) ? arg : JSON.stringify(arg));

/** The program with its arguments, or the address. */
export const wayWords = ({ program, args, url }: MountBody) =>
  visible(program == null ? (url ?? '') : [program, ...(args ?? [])].map(word).join(' '));

/** What it may touch beside programs and libraries. */
export function reachWords({ program, reads, writes, network, environment, key }: MountBody): string {
  if (program == null) return key ? `key ${visible(key)}` : 'without a key';
  const given = Object.keys(environment ?? {});
  const words = [
    ...(reads?.length ? [`reads ${reads.map(visible).join(', ')}`] : []),
    ...(writes?.length ? [`changes ${writes.map(visible).join(', ')}`] : []),
    network ? 'reaches the network' : 'no network',
    ...(given.length > 0 ? [`is given ${given.map(visible).join(', ')}`] : []),
  ];
  return words.join(' · ');
}

const of = (tools: readonly MountedToolInfo[], standing: string) => tools.filter((tool) => tool.standing === standing).length;

/** How many tools there are, and how many of them need somebody to look. */
export function counts(tools: readonly MountedToolInfo[]): { all: string; review: string; changed: string; refused: string } {
  const [fresh, changed, refused] = [of(tools, 'new'), of(tools, 'changed'), of(tools, 'refused')];
  return {
    all: plural(tools.length, 'tool'),
    review: fresh > 0 ? `${count(fresh)} to review` : '',
    changed: changed > 0 ? `${count(changed)} changed and quarantined` : '',
    refused: refused > 0 ? `${count(refused)} refused` : '',
  };
}

/** Why it is down in Jarvis's words, and what its program complained of in its own. */
export function whyParts(why: string): { why: string; said: string } {
  const [first = '', ...rest] = why.split('. It complained: ');
  return { why: first, said: rest.join('. It complained: ') };
}

export const removalWords = ({ tools }: Pick<MountInfo, 'tools'>) =>
  `${tools.length === 1 ? 'Its tool goes' : 'Its tools go'} at once, and with ${tools.length === 1 ? 'it' : 'them'} every tier that you gave. What was done stays done.`;

/** What a tier means for a tool that nobody here wrote. */
export const tierMeaning: Record<Tier, string> = {
  green: 'only reads',
  yellow: 'can be put back',
  orange: 'takes something away until someone acts',
  red: 'asked every time',
};

export interface Standing { mark: Mark; word: string; more: string }

export function standingOf(tool: Pick<MountedToolInfo, 'standing'>): Standing {
  switch (tool.standing) {
    case 'new': return { mark: 'ask', word: 'new', more: 'red until you give it a tier' };
    case 'reviewed': return { mark: 'ok', word: 'reviewed', more: '' };
    case 'changed': return { mark: 'warn', word: 'changed', more: 'quarantined: not called until you look again' };
    case 'refused': return { mark: 'bad', word: 'refused', more: 'not called' };
    default: return { mark: 'unknown', word: tool.standing, more: '' };
  }
}

const order = ['changed', 'new', 'reviewed', 'refused'];

/** What needs a look stands first. */
export const sorted = (tools: readonly MountedToolInfo[]) =>
  [...tools].sort((a, b) => order.indexOf(a.standing) - order.indexOf(b.standing));
