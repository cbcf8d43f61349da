// What the fields of a form can name: things that are known already. Nothing is read for a suggestion alone.

import { catalogue } from '../state/catalogue.svelte';
import { estate } from '../state/estate.svelte';

export interface Suggestion { value: string; more: string }

export function suggestions(entity: string | undefined): Suggestion[] {
  switch (entity) {
    case 'container':
      return (estate.containers.value ?? []).map((one) => ({ value: one.name, more: one.health === 'unhealthy' ? 'unhealthy' : one.state }));
    case 'service':
      return (estate.services.value ?? []).map((one) => ({ value: one.name.replace(/\.service$/, ''), more: one.active }));
    case 'image':
      return [...new Set((estate.containers.value ?? []).map((one) => one.image))].map((value) => ({ value, more: 'in use' }));
    case 'tool':
      return catalogue.tools.map((tool) => ({ value: tool.name, more: tool.tier }));
    default:
      return [];
  }
}
