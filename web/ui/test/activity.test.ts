import { describe, expect, it } from 'vitest';
import { filterFrom, fits, isScan, noFilter, pathOf, serverQuery } from '../src/activity/filter';
import type { EventInfo } from '../src/wire';

const event: EventInfo = { seq: 7, at: 1, kind: 'call.done', actor: 'operator', subject: 'call_1', correlation: 'c1', summary: 'web is up', tool: 'docker_restart', tier: 'yellow', hash: 'h' };

describe('a filter of the activity', () => {
  it('stands whole in its address', () => {
    const filter = { group: 'changes', actor: 'token:x', subject: 'call_1', correlation: 'c1', text: 'a b', before: 12 };
    expect(filterFrom(pathOf(filter, 7).replace('/activity', ''))).toEqual(filter);
    expect(pathOf(noFilter, null)).toBe('/activity');
    expect(filterFrom('?kind=nonsense&before=-1')).toEqual(noFilter);
  });

  it('asks the server for what it can answer and looks through the rest', () => {
    expect(serverQuery({ ...noFilter, group: 'reads', actor: 'local' })).toEqual({ kind: 'call.read,call.previewed', actor: 'local', subject: '' });
    expect(isScan({ ...noFilter, text: 'x' })).toBe(true);
    expect(isScan({ ...noFilter, subject: 'x' })).toBe(false);
  });

  it('takes what fits and nothing else', () => {
    for (const change of [{ group: 'changes' }, { actor: 'operator' }, { correlation: 'c1' }, { text: 'WEB restart' }, { text: '7' }]) expect(fits(event, { ...noFilter, ...change })).toBe(true);
    for (const change of [{ group: 'reads' }, { actor: 'local' }, { subject: 'call_2' }, { correlation: 'c2' }, { text: 'web down' }]) expect(fits(event, { ...noFilter, ...change })).toBe(false);
  });
});
