import { afterEach, describe, expect, it, vi } from 'vitest';
import { api, asProblem } from '../src/api';

const broken = () => Promise.reject(new TypeError('network changed'));
const answer = () => Promise.resolve(new Response('{"tools":[]}'));

/** Plays these answers, one a request, and counts the requests. */
function play(...answers: (() => Promise<Response>)[]): () => number {
  const fetch = vi.fn(() => answers.shift()!());
  vi.stubGlobal('fetch', fetch);
  return () => fetch.mock.calls.length;
}
const faultOf = (asked: Promise<unknown>) => asked.then(() => null, asProblem);

describe('a connection that broke', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('is tried once more for a reading, and no more than once', async () => {
    const twice = play(broken, answer);
    expect(await api.tools()).toEqual({ tools: [] });
    expect(twice()).toBe(2);
    const lost = play(broken, broken, answer);
    expect((await faultOf(api.tools()))?.code).toBe('unreachable');
    expect(lost()).toBe(2);
  });

  it('within an answer is tried once more too', async () => {
    const cut = () => Promise.resolve(new Response(new ReadableStream({ start: (stream) => stream.error(new TypeError('reset')) })));
    play(cut, answer);
    expect(await api.tools()).toEqual({ tools: [] });
  });

  it('is never tried again for what may have changed something', async () => {
    const once = play(broken, answer);
    expect((await faultOf(api.signOut()))?.detail).toContain('not sent twice');
    expect(once()).toBe(1);
  });

  it('is tried once more with the same key for what the server knows again by it', async () => {
    const keys: (string | undefined)[] = [];
    const ways = [() => api.say({ text: 'restart web' }), () => api.retry('turn_1'), () => api.call({ tool: 'docker_stop' }), () => api.submitJob({ tool: 'docker_pull' })];
    for (const way of ways) {
      const fetch = vi.fn((_: string, init: RequestInit) => {
        keys.push((init.headers as Record<string, string>)['idempotency-key']);
        return fetch.mock.calls.length === 1 ? broken() : answer();
      });
      vi.stubGlobal('fetch', fetch);
      await way();
      expect(fetch.mock.calls.length).toBe(2);
    }
    expect(keys.every((key) => /^[0-9a-f]{32}$/.test(key ?? ''))).toBe(true);
    expect(new Set(keys).size).toBe(ways.length);
    const lost = play(broken, broken, answer);
    expect((await faultOf(api.say({ text: 'restart web' })))?.detail).toContain('not known');
    expect(lost()).toBe(2);
  });

  it('is not an answer: what the server refused is not asked again', async () => {
    const once = play(() => Promise.resolve(new Response('{"code":"internal","status":500,"detail":"no","correlation":"c"}', { status: 500 })), answer);
    expect((await faultOf(api.tools()))?.code).toBe('internal');
    expect(once()).toBe(1);
  });

  it('by somebody who stopped waiting is not a fault', async () => {
    const once = play(() => Promise.reject(new DOMException('gone', 'AbortError')), answer);
    await expect(api.preview({ tool: 'x' }, AbortSignal.abort())).rejects.toThrow('gone');
    expect(once()).toBe(1);
  });
});
