// Everything beside approvals that a person should look at, worst first, each with the question to ask about it.

import { told } from '../activity/told';
import { activity } from '../state/activity.svelte';
import { estate } from '../state/estate.svelte';
import { layout } from '../state/layout.svelte';
import { status } from '../state/status.svelte';
import { containerMark, type Mark } from '../text/state';

export interface Matter { key: string; mark: Mark; text: string; name: string; ask?: string; link?: { path: string; word: string } }

const audit = () =>
  status.audit?.ok === false
    ? [{ key: 'audit', mark: 'bad' as Mark, name: 'audit', text: `The audit does not fit together: ${status.audit.faults[0] ?? 'see the report'}`, link: { path: '/activity', word: 'audit' } }]
    : [];

/** The status line shows these everywhere but on a phone. */
const warnings = () =>
  (layout.phone ? (status.info?.warnings ?? []) : []).map((text) => ({ key: text, mark: 'warn' as Mark, name: '', text, link: { path: '/settings', word: 'settings' } }));

const containers = () =>
  (estate.containers.value ?? [])
    .filter((one) => containerMark(one.state, one.health) === 'bad')
    .map((one) => ({
      key: one.id,
      mark: 'bad' as Mark,
      name: one.name,
      text: `${one.name} is ${one.health === 'unhealthy' ? 'unhealthy' : one.state}`,
      ask: `show me the logs of ${one.name}`,
    }));

const services = () =>
  (estate.services.value ?? [])
    .filter((one) => one.active === 'failed')
    .map((one) => ({ key: one.name, mark: 'bad' as Mark, name: one.name, text: `${one.name} has failed`, ask: `show me the logs of ${one.name}` }));

/** An outcome that nobody can tell stays here until its call or job has another event. A job in doubt stands for its call. */
function unknownOutcomes(): Matter[] {
  const settled = new Set<string>();
  const jobs = new Set<string>();
  const open: Matter[] = [];
  for (const event of activity.events) {
    if (!/^(call|job)\./.test(event.kind) || settled.has(event.subject)) continue;
    settled.add(event.subject);
    if (event.kind === 'job.unknown') {
      jobs.add(event.correlation);
      const name = told(event);
      open.push({ key: event.subject, mark: 'unknown', name, text: `The outcome of the job ${name} is unknown`, link: { path: `/jobs/${event.subject}`, word: 'job' } });
    } else if (event.kind === 'call.unknown' && !jobs.has(event.correlation)) {
      open.push({ key: event.subject, mark: 'unknown', name: event.tool ?? '', text: event.summary, link: { path: `/activity?seq=${event.seq}`, word: 'audit' } });
    }
  }
  return open;
}

class Attention {
  matters = $derived<Matter[]>([...audit(), ...unknownOutcomes(), ...containers(), ...services(), ...warnings()]);
}

export const attention = new Attention();
