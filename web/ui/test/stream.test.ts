import { beforeEach, describe, expect, it } from 'vitest';
import type { ToPage } from '../src/stream/message';
import { StreamSource, type EventStream, type World } from '../src/stream/source';

/** A server that the test plays: it keeps every stream that was opened, and runs timers when told. */
class Server implements World {
  streams: FakeStream[] = [];
  timers: (() => void)[] = [];
  allowed: boolean | 'down' = true;

  open(url: string): EventStream {
    const stream = new FakeStream(url);
    this.streams.push(stream);
    return stream;
  }
  async signedIn(): Promise<boolean> {
    if (this.allowed === 'down') throw new Error('no answer');
    return this.allowed;
  }
  later(run: () => void): unknown {
    this.timers.push(run);
    return run;
  }
  cancel(timer: unknown): void {
    this.timers = this.timers.filter((run) => run !== timer);
  }
  get now(): FakeStream {
    return this.streams.at(-1)!;
  }
  async passTime(): Promise<void> {
    const due = this.timers;
    this.timers = [];
    for (const run of due) run();
    await Promise.resolve();
    await Promise.resolve();
    await Promise.resolve();
  }
}

class FakeStream implements EventStream {
  readyState = 1;
  #listeners = new Map<string, (event: MessageEvent<string>) => void>();
  constructor(readonly url: string) {}
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, listener);
  }
  close(): void {
    this.readyState = 2;
  }
  say(type: string, data: unknown): void {
    this.#listeners.get(type)?.({ data: JSON.stringify(data) } as MessageEvent<string>);
  }
  hello(head: number): void {
    this.say('hello', { head });
  }
  event(seq: number): void {
    this.say('event', { seq, kind: 'call.done' });
  }
  break(): void {
    this.say('error', null);
  }
}

let server: Server;
let got: ToPage[];
let source: StreamSource;
const seqs = () => got.flatMap((message) => (message.type === 'event' ? [message.event.seq] : []));
const links = () => got.flatMap((message) => (message.type === 'link' ? [message.link] : []));

beforeEach(() => {
  server = new Server();
  got = [];
  source = new StreamSource(server, (message) => got.push(message));
});

describe('the event stream', () => {
  it('begins after what the page already knows and asks for its frames', () => {
    source.start(41, ['gauges', 'turns']);
    expect(server.now.url).toBe('/api/stream?after=41&topics=gauges,turns');
  });

  it('goes on after the last event when the connection broke, and says so meanwhile', async () => {
    source.start(0, []);
    server.now.hello(2);
    server.now.event(1);
    server.now.event(2);
    server.now.break();
    await server.passTime();
    expect(server.now.url).toBe('/api/stream?after=2');
    server.now.hello(3);
    server.now.event(3);
    expect(seqs()).toEqual([1, 2, 3]);
    expect(links()).toEqual(['live', 'lost', 'live']);
  });

  it('delivers an event once, however often the server sends it', () => {
    source.start(5, []);
    server.now.hello(7);
    for (const seq of [5, 6, 6, 7, 6]) server.now.event(seq);
    expect(seqs()).toEqual([6, 7]);
  });

  it('goes back for a page that has seen less, and repeats nothing it need not', () => {
    source.start(10, []);
    server.now.event(11);
    source.start(8, []);
    expect(server.now.url).toBe('/api/stream?after=8');
    expect(server.streams).toHaveLength(2);
    source.start(9, []);
    expect(server.streams).toHaveLength(2);
  });

  it('keeps trying while the server is away', async () => {
    source.start(0, []);
    server.allowed = 'down';
    server.now.break();
    await server.passTime();
    await server.passTime();
    expect(server.streams).toHaveLength(1);
    server.allowed = true;
    await server.passTime();
    expect(server.streams).toHaveLength(2);
  });

  it('stops when the session is over', async () => {
    source.start(0, []);
    server.now.hello(0);
    server.allowed = false;
    server.now.break();
    await server.passTime();
    expect(links().at(-1)).toBe('out');
    expect(server.timers).toHaveLength(0);
  });

  it('reopens for other frames without losing its place, and ignores what the old stream still says', () => {
    source.start(0, ['gauges']);
    const old = server.now;
    old.event(1);
    source.want([]);
    expect(server.now.url).toBe('/api/stream?after=1');
    old.event(2);
    expect(seqs()).toEqual([1]);
  });

  it('tells the page to begin anew when the history became shorter', () => {
    source.start(100, []);
    server.now.hello(3);
    expect(got.some((message) => message.type === 'reset')).toBe(true);
  });
});
