// Every kind of event: its mark, and the word that is read aloud for it. The kinds are those of safety/src/event.rs; a
// test compares them, and the compiler asks for each of them here.

import type { Mark } from './state';

export type EventKind =
  | 'call.read' | 'call.previewed' | 'call.refused' | 'call.intent' | 'call.done' | 'call.failed' | 'call.unknown' | 'call.cancelled' | 'doubt.acknowledged'
  | 'approval.asked' | 'approval.approved' | 'approval.denied' | 'approval.expired' | 'approval.stale' | 'approval.refused'
  | 'turn.asked' | 'turn.step' | 'turn.waiting' | 'turn.done' | 'turn.stopped' | 'turn.failed'
  | 'conversation.renamed' | 'conversation.deleted' | 'body.erased'
  | 'kill.on' | 'kill.off' | 'policy.loaded' | 'policy.unreadable' | 'setting.changed'
  | 'grant.given' | 'grant.revoked' | 'secret.kept' | 'secret.removed' | 'vault.rekeyed' | 'mount.changed' | 'token.created' | 'token.revoked' | 'session.opened' | 'session.closed' | 'session.refused'
  | 'job.submitted' | 'job.retried' | 'job.stopping' | 'job.done' | 'job.failed' | 'job.cancelled' | 'job.unknown'
  | 'schedule.saved' | 'schedule.missed' | 'schedule.removed'
  | 'operator.set' | 'server.started';

/** `lead` stands before the summary where that is only a sentence of what would happen. */
export interface Kind { mark: Mark; word: string; lead?: string }

export const kinds: Record<EventKind, Kind> = {
  'call.read': { mark: 'ok', word: 'read' },
  'call.previewed': { mark: 'off', word: 'looked ahead', lead: 'looked ahead' },
  'call.refused': { mark: 'bad', word: 'refused' },
  'call.intent': { mark: 'busy', word: 'begun', lead: 'begun' },
  'call.done': { mark: 'ok', word: 'done' },
  'call.failed': { mark: 'bad', word: 'failed', lead: 'failed' },
  'call.unknown': { mark: 'unknown', word: 'outcome unknown', lead: 'outcome unknown' },
  'call.cancelled': { mark: 'off', word: 'cancelled', lead: 'cancelled' },
  'doubt.acknowledged': { mark: 'ok', word: 'looked at' },
  'approval.asked': { mark: 'ask', word: 'asks for approval', lead: 'asks' },
  'approval.approved': { mark: 'ok', word: 'approved' },
  'approval.denied': { mark: 'off', word: 'denied' },
  'approval.expired': { mark: 'off', word: 'expired' },
  'approval.stale': { mark: 'warn', word: 'void', lead: 'void' },
  'approval.refused': { mark: 'bad', word: 'decision refused' },
  'turn.asked': { mark: 'ok', word: 'said' },
  'turn.step': { mark: 'busy', word: 'step' },
  'turn.waiting': { mark: 'ask', word: 'waits' },
  'turn.done': { mark: 'ok', word: 'answered' },
  'turn.stopped': { mark: 'off', word: 'stopped' },
  'turn.failed': { mark: 'bad', word: 'not answered' },
  'conversation.renamed': { mark: 'ok', word: 'conversation renamed' },
  'conversation.deleted': { mark: 'off', word: 'conversation deleted' },
  'body.erased': { mark: 'off', word: 'erased' },
  'kill.on': { mark: 'bad', word: 'stopped' },
  'kill.off': { mark: 'ok', word: 'resumed' },
  'policy.loaded': { mark: 'ok', word: 'policy in force' },
  'policy.unreadable': { mark: 'bad', word: 'policy unreadable' },
  'setting.changed': { mark: 'ok', word: 'setting changed' },
  'grant.given': { mark: 'ok', word: 'grant given' },
  'grant.revoked': { mark: 'off', word: 'grant revoked' },
  'secret.kept': { mark: 'ok', word: 'secret kept' },
  'secret.removed': { mark: 'off', word: 'secret removed' },
  'vault.rekeyed': { mark: 'ok', word: 'vault sealed anew' },
  'mount.changed': { mark: 'next', word: 'MCP server' },
  'token.created': { mark: 'ok', word: 'token made' },
  'token.revoked': { mark: 'off', word: 'token revoked' },
  'session.opened': { mark: 'ok', word: 'signed in' },
  'session.closed': { mark: 'off', word: 'signed out' },
  'session.refused': { mark: 'warn', word: 'sign-in refused' },
  'job.submitted': { mark: 'next', word: 'job submitted', lead: 'job submitted' },
  'job.retried': { mark: 'next', word: 'job tried again' },
  'job.stopping': { mark: 'off', word: 'job is being cancelled' },
  'job.done': { mark: 'ok', word: 'job done', lead: 'job done' },
  'job.failed': { mark: 'bad', word: 'job failed', lead: 'job failed' },
  'job.cancelled': { mark: 'off', word: 'job cancelled', lead: 'job cancelled' },
  'job.unknown': { mark: 'unknown', word: 'outcome of a job unknown', lead: 'outcome of a job unknown' },
  'schedule.saved': { mark: 'ok', word: 'schedule saved' },
  'schedule.missed': { mark: 'off', word: 'schedule missed' },
  'schedule.removed': { mark: 'off', word: 'schedule removed' },
  'operator.set': { mark: 'ok', word: 'password set' },
  'server.started': { mark: 'ok', word: 'started' },
};

/** A kind that a newer server may know is not taken for good. */
export const kindOf = (kind: string): Kind => kinds[kind as EventKind] ?? { mark: 'unknown', word: kind };
