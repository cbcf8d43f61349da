import { describe, expect, it } from 'vitest';
import { linkOf } from '../src/activity/subject';
import { bodyOf, fieldOf, givenOf, holdsKey, isName, missingIn, wrongIn, type Given } from '../src/mount/line';
import { counts, reachWords, sorted, standingOf, wayWords, whyParts } from '../src/mount/words';
import type { EventInfo, MountBody, MountedToolInfo, MountInfo } from '../src/wire';

const given = (more: Partial<Given> = {}): Given => ({ ...givenOf(null), name: 'files', program: 'mcp-server-filesystem', ...more });
const wrong = (more: Partial<Given>, taken: string[] = []) => wrongIn(given(more), taken);
const tool = (name: string, standing: string): MountedToolInfo => ({ name, call: `files_${name}`, description: '', input: {}, digest: name, standing });
const mounted = (line: MountBody): MountInfo => ({ name: 'files', line, configured: false, state: 'up', tools: [] });

describe('how a server is reached', () => {
  it('has a name that is a family', () => {
    expect(['files', 'lab2', 'a'.repeat(24)].every(isName)).toBe(true);
    expect(['', '2lab', 'git_hub', 'Lab', 'a'.repeat(25)].some(isName)).toBe(false);
    expect(wrong({}, ['files']).name).toContain('is mounted already');
  });

  it('is sent as it was typed, one a line, and nothing of the other way', () => {
    const typed = given({ args: '/srv/media\n\n  two words\r\n', environment: ' TOKEN=secret://lab\nMOTTO= a=b ', reads: ' /srv/media \n', url: 'http://lab', key: 'secret://lab' });
    expect(bodyOf(typed, null)).toEqual({
      program: 'mcp-server-filesystem', args: ['/srv/media', '  two words'], environment: { TOKEN: 'secret://lab', MOTTO: ' a=b ' }, reads: ['/srv/media'], writes: [], network: false, seconds: 60,
    });
    expect(bodyOf({ ...typed, way: 'url', key: ' ' }, null)).toEqual({ url: 'http://lab', seconds: 60 });
  });

  it('keeps what nobody touched, even what no line can hold', () => {
    const old = mounted({ program: 'x', args: ['', 'two\nlines'], environment: { A: 'one\ntwo' }, seconds: 9 });
    expect(bodyOf({ ...givenOf(old), seconds: 10 }, old)).toEqual({ ...old.line, reads: [], writes: [], network: false, seconds: 10 });
    expect(bodyOf({ ...givenOf(old), args: 'other' }, old).args).toEqual(['other']);
  });

  it('is told what is wrong at its field, without a value', () => {
    expect(wrong({})).toEqual({});
    expect(wrong({ program: '/opt/my tools/x' })).toEqual({});
    for (const [more, field] of [
      [{ program: 'npx -y server' }, 'program'], [{ args: 'x\n'.repeat(101) }, 'args'], [{ reads: '/srv\nsrv' }, 'reads'], [{ writes: '/srv/../etc' }, 'writes'],
      [{ environment: 'hunter2' }, 'environment'], [{ environment: '1A=hunter2' }, 'environment'], [{ environment: 'A=hunter2\nA=hunter2' }, 'environment'], [{ environment: 'A=secret://a b' }, 'environment'],
      [{ seconds: 0 }, 'seconds'], [{ seconds: 541 }, 'seconds'], [{ seconds: null }, 'seconds'],
      [{ way: 'url', url: 'ftp://lab' }, 'url'], [{ way: 'url', url: 'http://u:hunter2@lab' }, 'url'], [{ way: 'url', url: 'http://lab#x' }, 'url'], [{ way: 'url', url: 'http://lab', key: 'hunter2' }, 'key'],
    ] as const) {
      const faults = wrong(more);
      expect(Object.keys(faults), JSON.stringify(more)).toEqual([field]);
      expect(JSON.stringify(faults)).not.toContain('hunter2');
    }
    expect(Object.keys(missingIn(given({ name: '', program: ' ' })))).toEqual(['name', 'program']);
    expect(Object.keys(missingIn(given({ way: 'url' })))).toEqual(['url']);
  });

  it('finds the field that the server speaks of', () => {
    expect(fieldOf('`Lab` is no name for a server: use 1 to 24 …')).toBe('name');
    expect(fieldOf("`docker` is a family of Jarvis's own tools; use another name. Nothing was mounted")).toBe('name');
    expect(fieldOf('reads: `srv` is not an absolute path')).toBe('reads');
    expect(fieldOf('url is no address')).toBe('url');
    expect(fieldOf('args, environment, reads, writes and network are for a program')).toBe('');
    expect(fieldOf('there are 32 servers already; remove one first')).toBe('');
  });

  it('is asked not to hold a key as it is', () => {
    expect([holdsKey('API_TOKEN=abc'), holdsKey('x=1\ndb_password = abc')]).toEqual([true, true]);
    expect([holdsKey('API_TOKEN=secret://lab'), holdsKey('TONE=low'), holdsKey('API_TOKEN=')]).toEqual([false, false, false]);
  });
});

describe('what is said of a mounted server', () => {
  it('is its program or its address, and what it may touch', () => {
    expect(wayWords({ program: 'node', args: ['a b', '', 'c\u202e'] })).toBe('node "a b" "" c\\u{202e}');
    expect(wayWords({ url: 'http://lab/mcp' })).toBe('http://lab/mcp');
    expect(reachWords({ program: 'x', reads: ['/a'], writes: ['/b', '/c'], network: true, environment: { T: 'secret' } })).toBe('reads /a · changes /b, /c · reaches the network · is given T');
    expect(reachWords({ program: 'x' })).toBe('no network');
    expect(reachWords({ url: 'http://lab', key: 'secret://lab' })).toBe('key secret://lab');
  });

  it('counts what needs a look, and puts it first', () => {
    const tools = [tool('a', 'reviewed'), tool('b', 'refused'), tool('c', 'new'), tool('d', 'changed'), tool('e', 'new')];
    expect(counts(tools)).toEqual({ all: '5 tools', review: '2 to review', changed: '1 changed and quarantined', refused: '1 refused' });
    expect(sorted(tools).map((one) => one.name).join('')).toBe('dceab');
  });

  it('keeps the words of its program apart', () => {
    expect(whyParts('it ended. It complained: a. It complained: b')).toEqual({ why: 'it ended', said: 'a. It complained: b' });
    expect(whyParts('no such program')).toEqual({ why: 'no such program', said: '' });
  });

  it('is never green where it is unknown', () => expect(standingOf(tool('a', 'blessed')).mark).toBe('unknown'));

  it('leads to where it stands', () => {
    const event = (kind: string, body: unknown) => linkOf({ kind, subject: 'settings', body } as EventInfo)?.path;
    expect(event('mount.changed', null)).toBe('/settings?mounts');
    expect([event('setting.changed', { mount: 'files' }), event('setting.changed', { hosts: [] })]).toEqual(['/settings?mounts', '/settings']);
  });
});
