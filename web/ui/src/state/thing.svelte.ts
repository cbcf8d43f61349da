// A thing of the estate, and the small menu that is open on one. Whatever it offers is a sentence to Jarvis, so it
// goes through the same door as everything else.

import { estate } from './estate.svelte';

export interface Thing { kind: 'container' | 'service'; name: string; running: boolean }

class ThingMenu {
  shown = $state.raw<{ thing: Thing; x: number; y: number; from: HTMLElement } | null>(null);

  open(thing: Thing, from: HTMLElement, x: number, y: number): void {
    this.shown = { thing, x, y, from };
  }

  close(): void {
    this.shown = null;
  }
}

export const thingMenu = new ThingMenu();

/** The name by which Jarvis knows it: a service in full where a container has the same. */
export function spoken(thing: Thing): string {
  if (thing.kind === 'container') return thing.name;
  const short = thing.name.replace(/\.service$/, '');
  return estate.containers.value?.some((one) => one.name === short) ? thing.name : short;
}
