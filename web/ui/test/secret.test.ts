import { describe, expect, it } from 'vitest';
import { fits, noFilter } from '../src/activity/filter';
import { linkOf } from '../src/activity/subject';
import { bytesOf, fieldOf, hasBlankEnds, missingIn, MOST_USES, sizeFault, usesOf, wrongIn, type Given } from '../src/secret/fault';
import { freeName, isName, referenceTo } from '../src/secret/name';
import { changeWords, removalWords, reportWords, usesWords } from '../src/secret/words';
import type { EventInfo } from '../src/wire';

const use = { tool: 'http_fetch', target: 'api.github.com' };
const good: Given = { name: 'github-token', value: 'ghp_0123456789', note: 'reads the releases', uses: [use] };
const empty: Given = { name: '', value: '', note: '', uses: [] };
const wrong = (given: Partial<Given>, taken: string[] = []) => wrongIn({ ...good, ...given }, taken);

describe('the name of a secret', () => {
  it('is 1 to 64 letters, digits, _ . and -', () => {
    for (const name of ['a', 'model-key', 'GITHUB_TOKEN', 'a.b', '...', 'x'.repeat(64)]) expect(isName(name), name).toBe(true);
    for (const name of ['', 'a b', 'a/b', 'ä', 'a\n', 'x'.repeat(65)]) expect(isName(name), name).toBe(false);
  });

  it('is no step within an address', () => expect(['.', '..'].map(isName)).toEqual([false, false]));

  it('that is proposed is not taken', () => {
    expect(freeName('model-key', [])).toBe('model-key');
    expect(freeName('model-key', ['model-key', 'model-key-2'])).toBe('model-key-3');
  });
});

describe('a secret', () => {
  it('that is right has no fault', () => {
    expect(wrong({})).toEqual({});
    expect(missingIn(good, true)).toEqual({});
  });

  it('of which nothing is typed yet is not wrong, only missing', () => {
    expect(wrongIn(empty, [])).toEqual({});
    expect(Object.keys(missingIn(empty, true))).toEqual(['name', 'value']);
  });

  it('that is kept needs no value', () => expect(missingIn({ ...good, value: '' }, false)).toEqual({}));

  it('has a name that no other has', () => expect(wrong({}, ['github-token']).name).toContain('is kept already'));

  it('has a value of 8 to 16,384 bytes, counted as the server counts', () => {
    const fault = (value: string) => wrong({ value }).value;
    expect([fault('12345678'), fault('ääää'), fault('x'.repeat(16_384))]).toEqual([undefined, undefined, undefined]);
    expect(fault('1234567')).toBe('at least 8 bytes; there are 7');
    expect(fault('x')).toBe('at least 8 bytes; there is 1');
    expect(fault('x'.repeat(17_384))).toBe('1,000 bytes too many');
  });

  it('never has its value in what is wrong with it', () => {
    for (const value of ['hunter2', 'hunter2'.repeat(3000)]) expect(JSON.stringify(wrong({ value }))).not.toContain('hunter2');
  });

  it('has a note of at most 200 characters', () => {
    expect(wrong({ note: '𝔸'.repeat(200) })).toEqual({});
    expect(wrong({ note: 'x'.repeat(201) }).note).toBe('1 character too many');
  });

  it('goes where both tool and target say so, once, and to 20 of them at most', () => {
    const half = { tool: 'http_fetch', target: ' ' };
    expect(missingIn({ ...good, uses: [use, half, { tool: '', target: '' }] }, true)).toEqual({ 'uses[1]': 'name a tool and a target; * stands for anything' });
    expect(wrong({ uses: [use, { tool: ' http_fetch', target: 'api.github.com ' }] })).toEqual({ 'uses[1]': 'stands there twice' });
    expect(wrong({ uses: Array.from({ length: MOST_USES + 1 }, (_, at) => ({ tool: 'http_fetch', target: `host-${at}` })) })).toEqual({ uses: 'at most 20' });
    expect(usesOf([use, { tool: ' ', target: '' }])).toEqual([use]);
  });

  it('that was copied with a blank is noticed, and the last line break of a key is none', () => {
    expect([' abc', 'abc ', 'abc\t', '\nabc'].map(hasBlankEnds)).toEqual([true, true, true, true]);
    expect(['abc', '-----BEGIN KEY-----\nabc\n', 'a b'].map(hasBlankEnds)).toEqual([false, false, false]);
  });

  it('finds the field that a sentence of the server is about', () => {
    expect(fieldOf("a secret's name has 1 to 64 characters of A-Z, a-z, 0-9, `_`, `.` and `-`")).toBe('name');
    expect(fieldOf('a secret is a text, and this one holds a NUL. Nothing was kept')).toBe('value');
    expect(fieldOf('it reads like an ordinary word or number: struck out, it would garble')).toBe('value');
    expect(fieldOf('note must have at most 200 printable characters. Nothing was kept')).toBe('note');
    expect(fieldOf('uses[2].tool must have 1 to 200 printable characters')).toBe('uses[2]');
    expect(fieldOf('uses has 21 entries; at most 20 are taken')).toBe('uses');
    expect(fieldOf('names are read')).toBe('');
  });
});

describe('the text of a .env file', () => {
  it('has at most 256 KiB', () => {
    expect(sizeFault(bytesOf('A=12345678'))).toBeUndefined();
    expect(sizeFault(256 * 1024 + 1)).toBe('at most 256 KiB');
  });
});

describe('the words of a secret', () => {
  it('say where it may go', () => {
    expect(usesWords({ uses: [use, { tool: 'docker_*', target: '*' }] })).toBe('http_fetch → api.github.com · docker_* → *');
    expect(usesWords({ uses: [] })).toBe('only Jarvis’s own settings');
    expect(usesWords({ uses: [{ tool: 'a', target: 'b\u202ec' }] })).toBe('a → b\\u{202e}c');
  });

  it('count its values from the second on', () => {
    expect(changeWords({ version: 1, changed_at: Date.now() })).toMatch(/^kept \d\d:\d\d$/);
    expect(changeWords({ version: 3, changed_at: Date.now() })).toMatch(/^version 3 · changed \d\d:\d\d$/);
  });

  it('say what its removal ends', () => {
    expect(removalWords('a', 'env:A')).toBe('Whatever refers to secret://a stops working. Its value is struck out for 30 days longer.');
    expect(removalWords('a', referenceTo('a'))).toBe('Whatever refers to secret://a stops working, the model among it. Its value is struck out for 30 days longer.');
  });

  it('say what an import came to', () => {
    expect(reportWords({ kept: ['A'], skipped: [{ line: 2, name: 'B', why: 'too short' }, { line: 3, name: '', why: 'no =' }] })).toBe('1 secret kept, 2 lines skipped.');
  });
});

describe('rows about secrets', () => {
  it('stand among what controls Jarvis, and open the list of them', () => {
    for (const kind of ['secret.kept', 'secret.removed', 'vault.rekeyed']) {
      const event: EventInfo = { seq: 1, at: 1, kind, actor: 'operator', subject: 'job_token', correlation: 'c', summary: 'kept: value', hash: 'h' };
      expect(fits(event, { ...noFilter, group: 'control' })).toBe(true);
      expect(linkOf(event)).toEqual({ path: '/settings?secrets', word: 'secrets' });
    }
  });
});
