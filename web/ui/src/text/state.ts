// State words of every kind, and the one shape and colour that each of them has.

export type Mark = 'ok' | 'warn' | 'bad' | 'off' | 'unknown' | 'busy' | 'ask' | 'next';

const marks: Record<string, Mark> = {
  // calls, steps, turns, approvals, jobs
  done: 'ok', approved: 'ok', ok: 'ok',
  failed: 'bad', refused: 'bad', denied: 'off',
  unknown: 'unknown',
  cancelled: 'off', skipped: 'off', expired: 'off', stale: 'warn', stopped: 'off',
  waiting: 'ask', pending: 'ask', running: 'busy', queued: 'next',
  // containers
  created: 'off', exited: 'off', paused: 'warn', restarting: 'bad', dead: 'bad', removing: 'warn', unhealthy: 'bad',
  healthy: 'ok', starting: 'busy',
  // systemd units
  active: 'ok', inactive: 'off', activating: 'busy', deactivating: 'busy', reloading: 'busy',
  // doctor
  missing: 'bad', warning: 'warn',
};

export const markOf = (state: string): Mark => marks[state] ?? 'unknown';

/** A container: what runs and is not healthy is never green; what runs without a check is. */
export function containerMark(state: string, health?: string | null): Mark {
  if (state !== 'running') return markOf(state);
  if (health === 'unhealthy') return 'bad';
  return health === 'starting' ? 'busy' : 'ok';
}
