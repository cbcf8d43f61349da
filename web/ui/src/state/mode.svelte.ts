// HUD, Daylight or Alert. Alert comes by itself while something is wrong, unless the chosen mode is pinned.

import { status } from './status.svelte';

export type Mode = 'hud' | 'daylight' | 'alert';
export const modes: Mode[] = ['hud', 'daylight', 'alert'];

const KEY = 'jarvis.mode';

function stored(): { chosen: Mode; pinned: boolean } {
  const [chosen, pinned] = (localStorage.getItem(KEY) ?? 'hud').split(' ');
  return { chosen: modes.includes(chosen as Mode) ? (chosen as Mode) : 'hud', pinned: pinned === 'pinned' };
}

class ModeStore {
  chosen = $state<Mode>(stored().chosen);
  pinned = $state(stored().pinned);
  shown = $derived<Mode>(status.alarm && !this.pinned ? 'alert' : this.chosen);

  choose(mode: Mode): void {
    this.chosen = mode;
    this.pinned = mode === 'alert' || this.pinned;
    this.#keep();
  }

  pin(pinned: boolean): void {
    this.pinned = pinned;
    if (!pinned && this.chosen === 'alert') this.chosen = 'hud';
    this.#keep();
  }

  #keep(): void {
    localStorage.setItem(KEY, this.pinned ? `${this.chosen} pinned` : this.chosen);
  }
}

export const mode = new ModeStore();
