// Where the thing that an event is about can be seen.

import type { EventInfo } from '../wire';

export function linkOf(event: EventInfo): { path: string; word: string } | null {
  const body = event.body as { conversation?: unknown; mount?: unknown } | null | undefined;
  // A secret may be called like anything.
  if (event.kind.startsWith('secret.') || event.kind === 'vault.rekeyed') return { path: '/settings?secrets', word: 'secrets' };
  if (event.subject.startsWith('appr_')) return { path: '/approvals', word: 'card' };
  if (event.subject.startsWith('job_')) return { path: `/jobs/${event.subject}`, word: 'job' };
  if (event.subject.startsWith('sched_')) return { path: `/jobs?schedule=${event.subject}`, word: 'schedule' };
  if (event.subject.startsWith('grant_')) return { path: '/settings?grants', word: 'grants' };
  if (event.subject.startsWith('conv_')) return { path: `/chat/${event.subject}`, word: 'conversation' };
  if (typeof body?.conversation === 'string') return { path: `/chat/${body.conversation}`, word: 'conversation' };
  if (event.kind === 'mount.changed' || (event.kind === 'setting.changed' && typeof body?.mount === 'string')) return { path: '/settings?mounts', word: 'MCP servers' };
  if (event.kind.startsWith('setting.') || event.kind.startsWith('token.')) return { path: '/settings', word: 'settings' };
  return null;
}
