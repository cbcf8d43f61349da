// What passes between a page and the worker that holds the one stream of this browser.

import type { EventInfo, FrameInfo } from '../wire';

export type Topic = 'gauges' | 'turns' | 'jobs';

/** `live`: events arrive. `lost`: the server does not answer, tries go on. `out`: the session is over. */
export type Link = 'connecting' | 'live' | 'lost' | 'out';

export type FromPage =
  | { type: 'join'; after: number; topics: Topic[] }
  | { type: 'want'; topics: Topic[] }
  | { type: 'leave' };

export type ToPage =
  | { type: 'event'; event: EventInfo }
  | { type: 'frame'; frame: FrameInfo }
  | { type: 'link'; link: Link }
  /** The server's history is shorter than what we have seen: another database. Everything must be read anew. */
  | { type: 'reset' };
