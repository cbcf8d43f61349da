// Holds the one stream of this browser, whatever the number of tabs: HTTP/1.1 allows six connections an origin.
// It asks only for the frames that a visible tab wants, and closes the stream when the last tab leaves.

import type { FromPage, ToPage, Topic } from './message';
import { browserWorld, StreamSource } from './source';

interface Seat { topics: Topic[]; seen: number }

const seats = new Map<MessagePort, Seat>();
const source = new StreamSource(browserWorld, deliver);

function deliver(message: ToPage): void {
  for (const [port, seat] of seats) {
    if (message.type === 'event') {
      if (message.event.seq <= seat.seen) continue;
      seat.seen = message.event.seq;
    }
    if (message.type === 'reset') seat.seen = source.last;
    port.postMessage(message);
  }
}

function wanted(): Topic[] {
  return [...new Set([...seats.values()].flatMap((seat) => seat.topics))].sort();
}

function handle(port: MessagePort, message: FromPage): void {
  if (message.type === 'join') {
    seats.set(port, { topics: message.topics, seen: message.after });
    port.postMessage({ type: 'link', link: source.link } satisfies ToPage);
    source.start(message.after, wanted());
  } else if (message.type === 'want') {
    const seat = seats.get(port);
    if (seat) seat.topics = message.topics;
    source.want(wanted());
  } else {
    seats.delete(port);
    if (seats.size === 0) source.stop();
    else source.want(wanted());
  }
}

addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  port.onmessage = (message: MessageEvent<FromPage>) => handle(port, message.data);
});
