// First sentences that work on this machine. Each shows another kind of thing that can be said.

import type { Container, Service } from '../state/estate.svelte';

export interface Starter { text: string; shows: string; tier: 'green' | 'yellow' }

export function starters(containers: Container[], services: Service[]): Starter[] {
  const container = (containers.find((one) => one.state === 'running') ?? containers[0])?.name;
  const failed = services.find((one) => one.active === 'failed');
  const service = (failed ?? services.find((one) => one.sub === 'running') ?? services[0])?.name.replace(/\.service$/, '');
  const thing = container ?? service;
  const list: Starter[] = [
    { text: 'how is this machine?', shows: 'load, memory, disks in one sentence', tier: 'green' },
    { text: 'what is filling the disk?', shows: 'the largest folders', tier: 'green' },
  ];
  if (services.length > 0) list.push({ text: 'which services failed?', shows: 'and then: “how is NAME?”', tier: 'green' });
  else if (containers.length > 0) list.push({ text: 'which containers are running?', shows: 'as a table', tier: 'green' });
  else list.push({ text: 'which processes use the most memory?', shows: 'as a table', tier: 'green' });
  if (thing) {
    list.push({ text: `last 50 lines of ${(failed ? service : thing) ?? thing}`, shows: 'its log, marked by severity', tier: 'green' });
    list.push({ text: `restart ${thing}`, shows: 'changes something: written below, you send it', tier: 'yellow' });
  } else {
    list.push({ text: 'what files are there?', shows: 'in your folder', tier: 'green' });
    list.push({ text: 'what can you do?', shows: 'what there is on this machine', tier: 'green' });
  }
  return list;
}
