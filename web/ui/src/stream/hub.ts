// The page's end of the stream. Stores subscribe here; nothing else talks to the worker.

import type { EventInfo, FrameInfo } from '../wire';
import type { FromPage, Link, ToPage, Topic } from './message';
import { browserWorld, StreamSource } from './source';

type Listener<T> = (value: T) => void;

const events = new Set<Listener<EventInfo>>();
const frames = new Set<Listener<FrameInfo>>();
const links = new Set<Listener<Link>>();
const resets = new Set<Listener<void>>();

const listen = <T>(set: Set<Listener<T>>) => (listener: Listener<T>) => {
  set.add(listener);
  return () => void set.delete(listener);
};

/** Durable events, in order, each once. */
export const onEvent = listen(events);
/** Live frames: gauges, streamed text, phases, progress; those of jobs while somebody watches them. */
export const onFrame = listen(frames);
export const onLink = listen(links);
/** The database is another one: read everything anew. */
export const onReset = listen(resets);

function deliver(message: ToPage): void {
  if (message.type === 'event') {
    seen = message.event.seq;
    events.forEach((listener) => listener(message.event));
  } else if (message.type === 'frame') frames.forEach((listener) => listener(message.frame));
  else if (message.type === 'link') links.forEach((listener) => listener(message.link));
  else resets.forEach((listener) => listener());
}

let seen = 0;
let send: ((message: FromPage) => void) | null = null;

/** What only some pages show, and how many parts of this one do. */
const shown = new Map<Topic, number>();
const topics = (): Topic[] => (document.hidden ? [] : ['gauges', 'turns', ...shown.keys()]);

/** Asks for frames that only some pages show, while one does; answers with how to stop. */
export function watch(topic: Topic): () => void {
  count(topic, 1);
  return () => count(topic, -1);
}

function count(topic: Topic, by: number): void {
  const now = (shown.get(topic) ?? 0) + by;
  if (now > 0) shown.set(topic, now);
  else shown.delete(topic);
  send?.({ type: 'want', topics: topics() });
}

/** Begins to listen after an event that the stores already know. */
export function join(after: number): void {
  seen = after;
  send ??= connect();
  send({ type: 'join', after: seen, topics: topics() });
}

export function leave(): void {
  send?.({ type: 'leave' });
}

function connect(): (message: FromPage) => void {
  document.addEventListener('visibilitychange', () => send?.({ type: 'want', topics: topics() }));
  addEventListener('pagehide', leave);
  addEventListener('pageshow', (event) => event.persisted && send?.({ type: 'join', after: seen, topics: topics() }));
  return 'SharedWorker' in globalThis ? throughWorker() : direct();
}

function throughWorker(): (message: FromPage) => void {
  const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'jarvis-stream' });
  worker.port.onmessage = (message: MessageEvent<ToPage>) => deliver(message.data);
  return (message) => worker.port.postMessage(message);
}

/** Safari on older phones and some Android browsers have no SharedWorker. */
function direct(): (message: FromPage) => void {
  const source = new StreamSource(browserWorld, deliver);
  return (message) => {
    if (message.type === 'join') source.start(message.after, message.topics);
    else if (message.type === 'want') source.want(message.topics);
    else source.stop();
  };
}
