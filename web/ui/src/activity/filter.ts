// Which rows of the audit are wanted. Kind, actor and subject are filtered by the server; text and correlation, which it
// cannot search by, by reading on until enough is found.

import type { EventKind } from '../text/kind';
import type { EventInfo } from '../wire';

export interface Filter {
  group: string;
  actor: string;
  subject: string;
  correlation: string;
  text: string;
  /** Begin before this sequence instead of at the newest. */
  before: number | null;
}

export interface Group { key: string; word: string; kinds: EventKind[] }

export const groups: Group[] = [
  { key: 'changes', word: 'Changes', kinds: ['call.intent', 'call.done', 'call.failed', 'call.unknown', 'call.cancelled', 'doubt.acknowledged', 'job.submitted', 'job.retried', 'job.stopping', 'job.done', 'job.failed', 'job.cancelled', 'job.unknown', 'schedule.saved', 'schedule.missed', 'schedule.removed'] },
  { key: 'reads', word: 'Reads', kinds: ['call.read', 'call.previewed'] },
  { key: 'refused', word: 'Refused', kinds: ['call.refused', 'approval.refused', 'session.refused', 'call.failed', 'turn.failed', 'policy.unreadable'] },
  { key: 'approvals', word: 'Approvals', kinds: ['approval.asked', 'approval.approved', 'approval.denied', 'approval.expired', 'approval.stale', 'approval.refused'] },
  { key: 'talk', word: 'Talk', kinds: ['turn.asked', 'turn.step', 'turn.waiting', 'turn.done', 'turn.stopped', 'turn.failed', 'conversation.renamed', 'conversation.deleted', 'body.erased'] },
  { key: 'control', word: 'Control', kinds: ['kill.on', 'kill.off', 'policy.loaded', 'policy.unreadable', 'setting.changed', 'grant.given', 'grant.revoked', 'secret.kept', 'secret.removed', 'vault.rekeyed', 'mount.changed', 'operator.set', 'server.started'] },
  { key: 'access', word: 'Access', kinds: ['session.opened', 'session.closed', 'session.refused', 'token.created', 'token.revoked', 'operator.set'] },
];

const kindsOf = (group: string): string[] => groups.find((one) => one.key === group)?.kinds ?? [];

export function filterFrom(search: string): Filter {
  const params = new URLSearchParams(search);
  const before = Number(params.get('before'));
  return {
    group: groups.some((group) => group.key === params.get('kind')) ? params.get('kind')! : '',
    actor: params.get('actor') ?? '',
    subject: params.get('subject') ?? '',
    correlation: params.get('correlation') ?? '',
    text: params.get('q') ?? '',
    before: Number.isSafeInteger(before) && before > 0 ? before : null,
  };
}

/** The address of a filter, with the opened row if there is one. */
export function pathOf(filter: Filter, seq: number | null): string {
  const params = new URLSearchParams();
  if (filter.group) params.set('kind', filter.group);
  if (filter.actor) params.set('actor', filter.actor);
  if (filter.subject) params.set('subject', filter.subject);
  if (filter.correlation) params.set('correlation', filter.correlation);
  if (filter.text) params.set('q', filter.text);
  if (filter.before) params.set('before', String(filter.before));
  if (seq) params.set('seq', String(seq));
  const text = params.toString();
  return '/activity' + (text && '?' + text);
}

export const noFilter: Filter = { group: '', actor: '', subject: '', correlation: '', text: '', before: null };

/** What the server is asked for. */
export const serverQuery = (filter: Filter) => ({ kind: kindsOf(filter.group).join(','), actor: filter.actor, subject: filter.subject });

/** Whether rows have to be looked through here. */
export const isScan = (filter: Filter) => filter.text.trim() !== '' || filter.correlation !== '';

export function fits(event: EventInfo, filter: Filter): boolean {
  const kinds = kindsOf(filter.group);
  if (kinds.length > 0 && !kinds.includes(event.kind)) return false;
  if (filter.actor && event.actor !== filter.actor) return false;
  if (filter.subject && event.subject !== filter.subject) return false;
  if (filter.correlation && event.correlation !== filter.correlation) return false;
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = `${event.seq} ${event.kind} ${event.actor} ${event.subject} ${event.tool ?? ''} ${event.tier ?? ''} ${event.summary}`.toLowerCase();
  return words.every((word) => text.includes(word));
}
