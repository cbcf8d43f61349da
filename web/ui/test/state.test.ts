import { describe, expect, it } from 'vitest';
import { shownEntries, needsPerson } from '../src/chat/entries';
import { starters } from '../src/chat/starter';
import { rowsOf, servicesOf } from '../src/overview/estate';
import { arrange } from '../src/overview/room';
import type { Container, ContainerStats } from '../src/state/estate.svelte';
import type { ApprovalInfo, CallAnswer, TurnEntry, TurnInfo } from '../src/wire';

const container = (name: string, state = 'running'): Container => ({ id: name + '1', name, image: 'lab/web:1', state, status: '' });
const use = (name: string, memory: number): ContainerStats => ({
  name, cpu_percent: 1, memory_bytes: memory, memory_limit_bytes: 1000, net_received_bytes: 0, net_sent_bytes: 0,
});

describe('the estate', () => {
  const all = [container('b'), container('a', 'exited'), container('c')];
  const names = (by: 'name' | 'memory' | 'state', down: boolean) => rowsOf(all, [use('b', 1), use('c', 2)], '', by, down).map((row) => row.name);

  it('puts what does not run last, whichever way it is sorted', () => {
    expect(names('name', false)).toEqual(['b', 'c', 'a']);
    expect(names('name', true)).toEqual(['c', 'b', 'a']);
    expect(names('memory', false)).toEqual(['b', 'c', 'a']);
  });

  it('joins use by name', () => {
    expect(rowsOf(all, [use('c', 7)], 'c', 'name', false)[0]?.stats?.memory_bytes).toBe(7);
  });

  it('puts failed services first and resting ones last', () => {
    const services = [
      { name: 'z.service', active: 'inactive', sub: 'dead' }, { name: 'b.service', active: 'active', sub: 'exited' },
      { name: 'c.service', active: 'active', sub: 'running' }, { name: 'd.service', active: 'failed', sub: 'failed' },
    ];
    expect(servicesOf(services).map((one) => one.short)).toEqual(['d', 'c', 'b', 'z']);
  });

  it('stacks the tables where both fit, sets them side by side where it is wide, else leaves services out', () => {
    expect(arrange(800, 900, 250, 300).way).toBe('stacked');
    expect(arrange(1200, 450, 250, 400).way).toBe('beside');
    expect(arrange(1200, 450, 400, 250).way).toBe('beside-right');
    expect(arrange(800, 300, 250, 400).way).toBe('alone');
    expect(arrange(1000, 1300, 250, 1500).way).toBe('over');
    expect(arrange(1200, 600, 190, 0).way).toBe('alone');
  });
});

describe('a turn with a card', () => {
  const answer = (state: string, more: Partial<CallAnswer> = {}): CallAnswer => ({ tool: 'docker_stop', tier: 'orange', state, words: '', ...more });
  const call = (state: string, more?: Partial<CallAnswer>): TurnEntry => ({ kind: 'call', args: {}, answer: answer(state, more) });
  const said = (text: string): TurnEntry => ({ kind: 'said', text });
  const turn = (state: string, entries: TurnEntry[]): TurnInfo => ({ id: 't', conversation: 'c', actor: 'operator', asked: '', state, entries, created_at: 0 });
  const card = (state: string) => () => ({ state, steps: [{}, {}] as ApprovalInfo['steps'] });

  it('leaves to the card of a plan the calls that have not begun', () => {
    const waiting = turn('waiting', [call('waiting', { approval: 'a', call: 'x' }), call('running'), said('needs you')]);
    expect(shownEntries(waiting, card('pending')).map((one) => one.entry.kind)).toEqual(['call']);
    expect(shownEntries(waiting, () => undefined)).toHaveLength(3);
  });

  it('leaves to an open card the words that lead to it, and shows them again once it is decided', () => {
    const waiting = turn('waiting', [call('waiting', { approval: 'a' }), said('needs you')]);
    expect(shownEntries(waiting, card('pending')).map((one) => one.entry.kind)).toEqual(['call']);
    expect(shownEntries(waiting, card('running')).map((one) => [one.entry.kind, one.quiet])).toEqual([['call', false], ['said', true]]);
  });

  it('keeps quiet what was said before the decision, and not what was said after', () => {
    const done = turn('done', [call('done', { approval: 'a', call: 'x' }), said('needs you'), said('stopped')]);
    expect(shownEntries(done, card('done')).map((one) => one.quiet)).toEqual([false, true, false]);
    const plain = turn('done', [call('done', { call: 'x' }), said('stopped')]);
    expect(shownEntries(plain, card('done')).some((one) => one.quiet)).toBe(false);
  });

  it('waits for a person only while the card is open', () => {
    const waiting = turn('waiting', [call('waiting', { approval: 'a' })]);
    expect(needsPerson(waiting, card('pending'))).toBe(true);
    expect(needsPerson(waiting, card('running'))).toBe(false);
  });
});

describe('first sentences', () => {
  it('are five on every machine, and only one of them changes anything', () => {
    for (const list of [starters([], []), starters([container('web')], []), starters([], [{ name: 'x.service', active: 'failed' }])]) {
      expect(list).toHaveLength(5);
      expect(new Set(list.map((one) => one.text)).size).toBe(5);
      expect(list.filter((one) => one.tier !== 'green').length).toBeLessThanOrEqual(1);
    }
  });
});
