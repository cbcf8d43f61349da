// Everything beside approvals that a person should look at, worst first, each with the question to ask about it.

import { doubts } from '../state/doubts.svelte';
import { estate } from '../state/estate.svelte';
import { layout } from '../state/layout.svelte';
import { status } from '../state/status.svelte';
import { containerMark, type Mark } from '../text/state';

export interface Matter { key: string; mark: Mark; text: string; name: string; ask?: string; link?: { path: string; word: string }; settle?: { word: string; run: () => Promise<void> } }

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

/** An outcome that nobody can tell stays here until somebody has looked. */
const unknownOutcomes = () =>
  doubts.open.map((doubt) => {
    const job = doubt.subject.startsWith('job_');
    const name = doubt.target ?? doubt.what;
    return {
      key: doubt.subject,
      mark: 'unknown' as Mark,
      name,
      text: `${name}: outcome unknown. ${doubt.words}`,
      link: job ? { path: `/jobs/${doubt.subject}`, word: 'job' } : { path: `/activity?subject=${doubt.subject}`, word: 'audit' },
      settle: { word: 'looked at', run: () => doubts.acknowledge(doubt.subject) },
    };
  });

class Attention {
  matters = $derived<Matter[]>([...audit(), ...unknownOutcomes(), ...containers(), ...services(), ...warnings()]);
}

export const attention = new Attention();
