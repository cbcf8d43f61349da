import { describe, expect, it } from 'vitest';
import { fits, noFilter } from '../src/activity/filter';
import { linkOf } from '../src/activity/subject';
import { argsWords, callerWords, callsFault, deniedIn, endWords, loosened, stateWord, targetWords, trialWords } from '../src/grant/terms';
import type { EventInfo, GrantBody, GrantTrial } from '../src/wire';

const proposal: GrantBody = { tool: 'docker_stop', target_id: 'a1b2', actor: 'local', when: { container: 'web', seconds: null }, calls: 10, minutes: 1440 };
const none = { anyCaller: false, anyArgs: false };

describe('a proposed grant', () => {
  it('is loosened only where it was wished, and never of its target', () => {
    expect(loosened(proposal, none)).toEqual(proposal);
    expect(loosened(proposal, { ...none, anyCaller: true })).toEqual({ ...proposal, actor: undefined });
    expect(JSON.parse(JSON.stringify(loosened(proposal, { anyCaller: true, anyArgs: true })))).toEqual({ tool: 'docker_stop', target_id: 'a1b2', calls: 10, minutes: 1440 });
  });

  it('lets through a whole number of calls within bounds', () => {
    expect([1, 10, 1000].map(callsFault)).toEqual([undefined, undefined, undefined]);
    for (const calls of [0, 1001, 1.5, NaN, null, undefined]) expect(callsFault(calls), String(calls)).toBe('a whole number from 1 to 1,000');
  });
});

describe('the words of a grant', () => {
  it('name the target as far as it is known, and shorten only a hash', () => {
    expect(targetWords(proposal, { kind: 'container', name: 'web' })).toBe('container web (id a1b2)');
    expect(targetWords({ target_id: 'f'.repeat(64) })).toBe(`id ${'f'.repeat(12)}…`);
    expect(targetWords({ target_id: '/srv/notes/today.md#new' })).toBe('id /srv/notes/today.md#new');
    expect([targetWords({ target: 'web*' }), targetWords({})]).toEqual(['web*', 'any target']);
  });

  it('name the caller by id, and by name where there is one', () => {
    expect(callerWords(proposal)).toBe('called by local');
    expect(callerWords(proposal, 'this machine')).toBe('called by this machine (local)');
    expect(callerWords({ actor: 'operator' }, 'operator')).toBe('called by operator');
    expect(callerWords({}, 'this machine')).toBe('any caller');
  });

  it('tell values from patterns, on one line', () => {
    expect(argsWords({ when: { container: { like: 'web*' }, force: false, at: null } })).toBe('container like web* · force no · at –');
    expect(argsWords({ when: { content: 'a\nb', empty: '' } })).toBe('content a b · empty empty');
    expect(argsWords({ when: { content: 'x'.repeat(90) } })).toHaveLength('content '.length + 60);
    expect([argsWords({}), argsWords({ when: {} })]).toEqual(['any arguments', 'any arguments']);
    expect(argsWords({ when: { path: 'a\u202eb' } })).toBe('path a\\u{202e}b');
  });

  it('tell how it ends, or ended', () => {
    const at = Date.now();
    const ends = (state: string) => endWords({ state, expires_at: at, revoked_at: state === 'revoked' ? at : null });
    expect(ends('live')).toMatch(/^ends \d\d:\d\d$/);
    expect(ends('over')).toMatch(/^ended \d\d:\d\d$/);
    expect(ends('revoked')).toMatch(/^revoked \d\d:\d\d$/);
    expect([ends('used_up'), stateWord({ state: 'used_up' })]).toEqual(['used up', 'used up']);
  });

  it('tell what it would have answered, and what of that was denied', () => {
    const spared = (answer: string) => ({ approval: `appr_${answer}`, at: 0, sentence: 'Stop web.', tier: 'orange', answer });
    const trial: GrantTrial = { looked: 500, spared: ['approved', 'denied', 'undecided'].map(spared) };
    expect(trialWords(trial)).toBe('It would have answered 3 calls of the newest 500 questions.');
    expect(trialWords({ looked: 1, spared: [] })).toBe('It would have answered 0 calls of the newest 1 question.');
    expect(deniedIn(trial)).toBe(1);
  });
});

describe('rows about grants', () => {
  const event = (kind: string): EventInfo => ({ seq: 1, at: 1, kind, actor: 'operator', subject: 'grant_01', correlation: 'c', summary: 'granted: 10 calls of docker_stop', hash: 'h' });

  it('stand among what controls Jarvis, and open the list of grants', () => {
    for (const kind of ['grant.given', 'grant.revoked']) {
      expect(fits(event(kind), { ...noFilter, group: 'control' })).toBe(true);
      expect(linkOf(event(kind))).toEqual({ path: '/settings?grants', word: 'grants' });
    }
  });
});
