import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { groups } from '../src/activity/filter';
import { saidIn, told } from '../src/activity/told';
import { kindOf, kinds } from '../src/text/kind';

describe('kinds of events', () => {
  it('are those of the gate, each with a mark and a word', () => {
    const source = readFileSync(new URL('../../../safety/src/event.rs', import.meta.url), 'utf8');
    const known = [...source.matchAll(/^ {4}[A-Z]\w+ = "([a-z]+\.[a-z]+)",$/gm)].map((found) => found[1]);
    expect(known.length).toBeGreaterThan(30);
    expect(Object.keys(kinds).sort()).toEqual(known.sort());
  });

  it('can each be filtered for', () => {
    const filtered = new Set(groups.flatMap((group) => group.kinds));
    expect(Object.keys(kinds).filter((kind) => !filtered.has(kind as keyof typeof kinds))).toEqual([]);
  });

  it('that are unknown are not green', () => {
    expect(kindOf('call.unknown').mark).toBe('unknown');
    expect(kindOf('nobody.knows')).toEqual({ mark: 'unknown', word: 'nobody.knows' });
  });
});

describe('what an event tells', () => {
  it('leaves out the name of the tool only where words follow it', () => {
    expect(told({ kind: 'call.done', tool: 'file_write', summary: 'file_write a.md: I made `a.md`.' })).toBe('I made `a.md`.');
    expect(told({ kind: 'call.done', tool: 'file_write', summary: 'file_write a.md: done' })).toBe('file_write a.md');
    expect(told({ kind: 'call.failed', tool: 'file_write', summary: 'file_write a.md: it is full' })).toBe('file_write a.md: it is full');
    expect(told({ kind: 'call.read', tool: 'system_info', summary: 'system_info nas: ' })).toBe('system_info nas: ');
    expect(told({ kind: 'turn.asked', summary: 'said 2 words (cli): x' })).toBe('said 2 words (cli): x');
  });

  it('has the words of a turn from the body alone', () => {
    expect(saidIn({ kind: 'turn.asked', body: { words: 'stop web', face: 'cli' } })).toBe('stop web');
    expect(saidIn({ kind: 'turn.done', body: { said: 'It is stopped.' } })).toBe('It is stopped.');
    expect(saidIn({ kind: 'turn.asked', body: null })).toBe('');
    expect(saidIn({ kind: 'call.done', body: { words: 'stopped' } })).toBe('');
  });
});
