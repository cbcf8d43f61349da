import { describe, expect, it } from 'vitest';
import { shapeOf } from '../src/call/shape';
import { standing, uptime } from '../src/overview/estate';
import { emphasised } from '../src/text/emphasis';
import { bytes, countdown, share, span } from '../src/text/format';
import { grow } from '../src/text/live';
import { containerMark } from '../src/text/state';
import { visible, visibleBlock } from '../src/text/visible';

describe('what strangers wrote', () => {
  it('shows control and bidirectional characters, as the server does', () => {
    expect(visible('we\u202eb\n\u200b')).toBe('we\\u{202e}b\\u{a}\\u{200b}');
    expect(visibleBlock('a\n\tb\u001b[31m')).toBe('a\n\tb\\u{1b}[31m');
    expect(visible('tag\u{e0041}')).toBe('tag\\u{e0041}');
    expect(visible('größe 東京 🚀')).toBe('größe 東京 🚀');
  });
});

describe('emphasis', () => {
  const names = (sentence: string, wanted: string[]) => emphasised(sentence, wanted).filter((piece) => piece.name).map((piece) => piece.text);

  it('finds whole names only, the longest first', () => {
    expect(names('Remove old-db and db on nas.', ['db', 'old-db'])).toEqual(['old-db', 'db']);
    expect(names('Write /srv/a.txt.', ['/srv/a', '/srv/a.txt'])).toEqual(['/srv/a.txt']);
  });

  it('takes what stands between backticks for code only where it is asked to', () => {
    expect(emphasised('I made `a.md` on nas.', ['nas'], true)).toEqual([
      { text: 'I made ', name: false }, { text: 'a.md', name: true }, { text: ' on ', name: false }, { text: 'nas', name: true }, { text: '.', name: false },
    ]);
    expect(names('Remove `db`.', [])).toEqual([]);
    expect(emphasised('a ` b', [], true).map((piece) => piece.text).join('')).toBe('a ` b');
  });

  it('loses and adds no character', () => {
    const text = 'Stop (a.b) [x] on $host.';
    expect(emphasised(text, ['a.b', '[x]', '$host', '.*']).map((piece) => piece.text).join('')).toBe(text);
  });
});

describe('streamed text', () => {
  it('continues at its offset in characters, not in UTF-16 units', () => {
    let live = grow(undefined, 0, 'a🚀');
    live = grow(live, 2, 'b');
    expect(live).toEqual({ text: 'a🚀b', start: 0 });
    expect(grow(live, 1, 'X').text).toBe('aX');
  });

  it('says when its beginning was not seen', () => {
    const live = grow(undefined, 50, 'tail');
    expect(live.start).toBe(50);
    expect(grow(live, 54, ' end')).toEqual({ text: 'tail end', start: 50 });
  });

  it('stays until the turn is read again once the server has kept it, then begins anew', () => {
    const kept = grow({ text: 'whole', start: 0 }, 0, '');
    expect(kept).toEqual({ text: 'whole', start: 0, kept: true });
    expect(grow(kept, 0, 'next')).toEqual({ text: 'next', start: 0 });
  });

  it('never joins what does not meet', () => {
    expect(grow({ text: 'ab', start: 0 }, 9, 'z')).toEqual({ text: 'z', start: 9 });
  });
});

describe('numbers', () => {
  it('are short', () => {
    expect([bytes(0), bytes(512), bytes(1.5 * 1024 ** 3), bytes(24 * 1024 ** 3)]).toEqual(['0 B', '512 B', '1.5 G', '24 G']);
    expect(share(5.7 * 1024 ** 3, 8 * 1024 ** 3)).toBe('5.7/8.0 G');
    expect([span(3), span(9400), span(41 * 864e5)]).toEqual(['3 ms', '9.4 s', '41 d']);
    expect([countdown(761_000, 0), countdown(0, 5000), countdown(3_600_000, 0)]).toEqual(['12:41', '00:00', '1:00:00']);
  });

  it('read Docker\'s uptime', () => {
    expect([uptime('Up 3 days (healthy)'), uptime('Up About an hour'), uptime('Exited (0) 2 days ago')]).toEqual([259_200, 3600, 0]);
  });

  it('tell how a container is in a word or two', () => {
    const one = (state: string, status: string, health?: string) => standing({ id: '', name: '', image: '', state, status, health });
    expect([one('running', 'Up About a minute'), one('running', 'Up 3 days (unhealthy)', 'unhealthy'), one('restarting', 'Restarting (1) 7 seconds ago')]).toEqual(['up 60 s', 'unhealthy', 'restarting']);
    expect([one('exited', 'Exited (0) 2 days ago'), one('exited', 'Exited (137) 2 days ago')]).toEqual(['exited', 'exited 137']);
  });
});

describe('state', () => {
  it('is never green when unknown or unhealthy', () => {
    expect(containerMark('running', 'unhealthy')).toBe('bad');
    expect(containerMark('who-knows')).toBe('unknown');
  });
});

describe('an output that nobody knows', () => {
  it('is shown by its shape', () => {
    expect(shapeOf({ lines: ['a'], cut: true })).toEqual({ kind: 'log', lines: ['a'], cut: true });
    expect(shapeOf({ containers: [{ a: 1 }, { b: 2 }], total: 2 })).toMatchObject({ kind: 'table', columns: ['a', 'b'], rest: [['total', 2]] });
    expect(shapeOf('--- a\n+++ b\n@@ -1 +1 @@\n').kind).toBe('diff');
    expect(shapeOf({ a: 1, b: { c: 2 } }).kind).toBe('fields');
    expect(shapeOf(null).kind).toBe('nothing');
    expect(shapeOf({ containers: [] }).kind).toBe('fields');
  });
});
