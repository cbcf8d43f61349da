// What an event tells, for a list: shorter than its summary where that only repeats, and never more than it.

import type { EventInfo } from '../wire';

/** Rows of a job are worded `done tool_call: name`; the mark and its word say the rest. */
const job = /^(?:\w+ )?tool_call: (?=.)/;
const outcome = /^call\.(read|done)$/;

/** The gate words an outcome as `tool target: words`. The words name what they are about, so they stand alone. Where
    strangers may have written them there is only the state, which the mark shows. */
export function told(event: Pick<EventInfo, 'kind' | 'tool' | 'summary'>): string {
  if (/^job\.(submitted|done|failed|cancelled|unknown)$/.test(event.kind)) return event.summary.replace(job, '');
  if (!outcome.test(event.kind) || !event.tool || !event.summary.startsWith(`${event.tool} `)) return event.summary;
  const at = event.summary.indexOf(': ');
  const words = event.summary.slice(at + 2).trim();
  if (at < 0 || words === '') return event.summary;
  return words === 'done' ? event.summary.slice(0, at) : words;
}

/** The words of a turn's event. They stand in its body alone, because a summary outlives what is erased. */
export function saidIn(event: Pick<EventInfo, 'kind' | 'body'> | null): string {
  const body = event?.kind.startsWith('turn.') ? (event.body as { words?: unknown; said?: unknown } | null | undefined) : null;
  const words = body?.words ?? body?.said;
  return typeof words === 'string' ? words : '';
}
