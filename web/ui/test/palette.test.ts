import { describe, expect, it } from 'vitest';
import type { Choice, Kind } from '../src/palette/choice';
import { find, isSaid } from '../src/palette/find';
import { fit } from '../src/palette/fuzzy';

const choice = (kind: Kind, word: string, more = ''): Choice => ({ key: word, kind, word, more });
const choices = [
  choice('page', 'Settings'), choice('tool', 'docker_remove', 'Removes a container.'), choice('tool', 'docker_restart', 'Restarts a container.'), choice('tool', 'file_write'),
  choice('container', 'web', 'lab/web:1'), choice('conversation', 'why is the web slow'), choice('call', 'docker_restart web'),
];
const best = (typed: string) => find(typed, choices)[0]?.choice.word;

describe('the palette', () => {
  it('finds by beginnings, parts and strewn letters, the likeliest first', () => {
    expect(best('sett')).toBe('Settings');
    expect(best('restart')).toBe('docker_restart');
    expect(best('dkrm')).toBe('docker_remove');
    expect(best('fwrite')).toBe('file_write');
    expect(best('web')).toBe('web');
    expect(best('restart web')).toBe('docker_restart web');
  });

  it('marks the letters that were found', () => {
    expect(fit('rest', 'docker_restart')?.marks).toEqual([7, 8, 9, 10]);
    expect(fit('zz', 'docker')).toBeNull();
  });

  it('tells a sentence from a name', () => {
    const said = (typed: string) => isSaid(typed, find(typed, choices)[0]);
    expect(said('how is this machine?')).toBe(true);
    expect(said('make everything nice')).toBe(true);
    expect(said('restart web')).toBe(false);
    expect(said('settings')).toBe(false);
    expect(said('')).toBe(false);
  });
});
