import { describe, expect, it } from 'vitest';
import { parse } from '../src/route';
import { path, ROOT } from '../src/chat/tree';
import type { TurnInfo } from '../src/wire';

describe('addresses', () => {
  it.each([
    ['/', 'overview', null], ['/chat', 'chat', null], ['/chat/', 'chat', null], ['/chat/v_1', 'chat', 'v_1'],
    ['/jobs', 'jobs', null], ['/jobs/job_1', 'jobs', 'job_1'], ['/tools/docker_stop', 'tools', 'docker_stop'], ['/tools/a%2Fb', 'tools', 'a/b'], ['/tools/%zz', 'tools', '%zz'],
    ['/nowhere', 'lost', null], ['/chat/a/b', 'lost', null], ['/constructor', 'lost', null],
  ])('%s leads to %s', (address, page, id) => {
    expect(parse(address)).toEqual({ page, id });
  });
});

const turn = (id: string, parent: string | null, created_at: number): TurnInfo => ({ id, parent, created_at, conversation: 'v', actor: 'operator', asked: id, state: 'done', entries: [] });
const shown = (steps: { turn: TurnInfo }[]) => steps.map((step) => step.turn.id);

describe('branches of a conversation', () => {
  const turns = [turn('a', null, 1), turn('b', 'a', 2), turn('c', 'b', 3), turn('b2', 'a', 4)];

  it('show the newest at each fork, unless another was chosen', () => {
    expect(shown(path(turns, new Map()))).toEqual(['a', 'b2']);
    expect(shown(path(turns, new Map([['a', 'b']])))).toEqual(['a', 'b', 'c']);
  });

  it('end where one goes on from', () => {
    expect(shown(path(turns, new Map(), 'a'))).toEqual(['a']);
  });

  it('keep a turn whose parent was erased, and survive a circle', () => {
    expect(shown(path([turn('x', 'gone', 1)], new Map()))).toEqual(['x']);
    expect(path([turn('p', 'q', 1), turn('q', 'p', 2)], new Map([[ROOT, 'p']]))).toEqual([]);
  });
});
