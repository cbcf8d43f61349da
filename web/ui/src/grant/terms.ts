// The terms of a grant: what may be loosened of a proposal, and what they mean in few plain words. Pure.

import { cell } from '../call/shape';
import { brief, shortId } from '../text/brief';
import { count, plural, when } from '../text/format';
import { visible } from '../text/visible';
import type { GrantBody, GrantInfo, GrantTrial, TargetInfo } from '../wire';

const MOST_CALLS = 1000;
export const DAY = 24 * 60;

/** How long a grant may live, in minutes. */
export const lengths = [
  { minutes: 60, word: '1 h' },
  { minutes: 8 * 60, word: '8 h' },
  { minutes: DAY, word: '24 h' },
  { minutes: 7 * DAY, word: '7 d' },
  { minutes: 30 * DAY, word: '30 d' },
];

export interface Loosening { anyCaller: boolean; anyArgs: boolean }

/** The target stays: whatever bears the same name is never proposed. */
export function loosened(proposal: GrantBody, { anyCaller, anyArgs }: Loosening): GrantBody {
  const { actor, when: args, only, ...rest } = proposal;
  return { ...rest, ...(!anyCaller && { actor }), ...(!anyArgs && { when: args, only }) };
}

/** What is wrong with a number of calls; an emptied field holds none. */
export const callsFault = (calls: number | null | undefined): string | undefined =>
  calls != null && Number.isInteger(calls) && calls >= 1 && calls <= MOST_CALLS ? undefined : `a whole number from 1 to ${count(MOST_CALLS)}`;

/** By kind and name where the thing is known, else by what the terms themselves say. */
export function targetWords(terms: Pick<GrantBody, 'target' | 'target_id'>, known?: Pick<TargetInfo, 'kind' | 'name'>): string {
  const name = known ? `${visible(known.kind)} ${visible(known.name)}` : visible(terms.target ?? '');
  const id = terms.target_id == null ? '' : `id ${shortId(visible(terms.target_id))}`;
  return name && id ? `${name} (${id})` : name || id || 'any target';
}

export function callerWords({ actor }: Pick<GrantBody, 'actor'>, name = ''): string {
  if (actor == null) return 'any caller';
  return name === '' || name === actor ? `called by ${visible(actor)}` : `called by ${visible(name)} (${visible(actor)})`;
}

export function argsWords({ when: wanted }: Pick<GrantBody, 'when'>): string {
  const words = Object.entries(wanted ?? {}).map(([name, value]) => `${visible(name)} ${valueWords(value)}`);
  return words.length > 0 ? words.join(' · ') : 'any arguments';
}

function valueWords(value: unknown): string {
  const like = typeof value === 'object' && value !== null ? (value as { like?: unknown }).like : undefined;
  return typeof like === 'string' ? `like ${brief(like)}` : brief(cell(value)) || 'empty';
}

export const stateWord = (grant: Pick<GrantInfo, 'state'>) => grant.state.replaceAll('_', ' ');

/** When it ends, or how it ended. */
export function endWords(grant: Pick<GrantInfo, 'state' | 'expires_at' | 'revoked_at'>): string {
  if (grant.state === 'live') return `ends ${when(grant.expires_at)}`;
  if (grant.state === 'over') return `ended ${when(grant.expires_at)}`;
  return grant.state === 'revoked' && grant.revoked_at != null ? `revoked ${when(grant.revoked_at)}` : stateWord(grant);
}

export const trialWords = ({ looked, spared }: GrantTrial) => `It would have answered ${plural(spared.length, 'call')} of the newest ${plural(looked, 'question')}.`;

export const deniedIn = ({ spared }: GrantTrial) => spared.filter((one) => one.answer === 'denied').length;
