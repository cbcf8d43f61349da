// One resumable event stream. It remembers the last sequence it delivered and asks for what follows after every
// interruption, so that nothing is missed; an event that comes twice is dropped. Frames are never repeated.

import type { EventInfo, FrameInfo } from '../wire';
import type { Link, ToPage, Topic } from './message';

/** The part of EventSource that is used, so that tests can stand in for the server. */
export interface EventStream {
  readyState: number;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface World {
  open(url: string): EventStream;
  /** Whether the session is still good; rejects while the server does not answer. */
  signedIn(): Promise<boolean>;
  later(run: () => void, millis: number): unknown;
  cancel(timer: unknown): void;
}

const CLOSED = 2;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 10_000;

export class StreamSource {
  last = 0;
  #stream: EventStream | null = null;
  #topics: Topic[] = [];
  #wait = FIRST_WAIT;
  #timer: unknown = null;
  #link: Link = 'connecting';

  constructor(readonly world: World, readonly deliver: (message: ToPage) => void) {}

  get link(): Link {
    return this.#link;
  }

  /** Begins, or begins again further back when a page has seen less than the stream has. */
  start(after: number, topics: Topic[]): void {
    const running = this.#stream !== null || this.#timer !== null;
    if (running && after >= this.last && same(topics, this.#topics)) return;
    this.last = running ? Math.min(after, this.last) : after;
    this.#topics = topics;
    this.#open();
  }

  /** Which frames are wanted. Only changing them reopens the stream. */
  want(topics: Topic[]): void {
    if (same(topics, this.#topics) || (this.#stream === null && this.#timer === null)) return;
    this.#topics = topics;
    this.#open();
  }

  stop(): void {
    this.#drop();
    this.#link = 'connecting';
  }

  #drop(): void {
    if (this.#timer !== null) this.world.cancel(this.#timer);
    this.#timer = null;
    this.#stream?.close();
    this.#stream = null;
  }

  #open(): void {
    this.#drop();
    const topics = this.#topics.length > 0 ? `&topics=${this.#topics.join(',')}` : '';
    const stream = this.world.open(`/api/stream?after=${this.last}${topics}`);
    this.#stream = stream;
    const mine = (run: (data: string) => void) => (event: MessageEvent<string>) => {
      if (this.#stream === stream) run(event.data);
    };
    stream.addEventListener('hello', mine((data) => this.#hello((JSON.parse(data) as { head: number }).head)));
    stream.addEventListener('event', mine((data) => this.#event(JSON.parse(data) as EventInfo)));
    stream.addEventListener('frame', mine((data) => this.deliver({ type: 'frame', frame: JSON.parse(data) as FrameInfo })));
    stream.addEventListener('error', mine(() => this.#broken(stream)));
  }

  #hello(head: number): void {
    this.#wait = FIRST_WAIT;
    this.#say('live');
    if (head >= this.last) return;
    this.last = head;
    this.deliver({ type: 'reset' });
  }

  #event(event: EventInfo): void {
    if (event.seq <= this.last) return;
    this.last = event.seq;
    this.deliver({ type: 'event', event });
  }

  /** The browser's own retry would resume from its own id and would not see a 401, so we always retry ourselves. */
  #broken(stream: EventStream): void {
    if (stream.readyState !== CLOSED) stream.close();
    this.#stream = null;
    this.#say('lost');
    this.#timer = this.world.later(() => void this.#again(), this.#wait);
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
  }

  async #again(): Promise<void> {
    const timer = this.#timer;
    const allowed = await this.world.signedIn().catch(() => null);
    if (this.#timer !== timer) return;
    if (allowed === false) {
      this.#drop();
      this.#say('out');
    } else if (allowed === true) {
      this.#open();
    } else {
      this.#timer = this.world.later(() => void this.#again(), this.#wait);
      this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    }
  }

  #say(link: Link): void {
    if (link === this.#link) return;
    this.#link = link;
    this.deliver({ type: 'link', link });
  }
}

/** The real world, in a page or in a worker. */
export const browserWorld: World = {
  open: (url) => new EventSource(url),
  signedIn: async () => {
    const response = await fetch('/api/session', { headers: { accept: 'application/json' } });
    if (!response.ok) throw new Error('no answer');
    return ((await response.json()) as { signed_in: boolean }).signed_in;
  },
  later: (run, millis) => setTimeout(run, millis),
  cancel: (timer) => clearTimeout(timer as number),
};

function same(a: Topic[], b: Topic[]): boolean {
  return a.length === b.length && a.every((topic) => b.includes(topic));
}
