// One-letter shortcuts. A component registers the keys it serves while it is on the screen; `?` lists them. Keys are
// left alone while somebody types, while a dialog is open, and with Ctrl, Alt or Meta (except Ctrl+K).

import { untrack } from 'svelte';
import { palette } from './state/palette.svelte';

export interface Shortcut {
  key: string;
  /** What it does, for the list. */
  word: string;
  /** Return false to let the key through. */
  run: (event: KeyboardEvent) => void | false;
  /** Also while typing. */
  always?: boolean;
}

class Keys {
  list = $state.raw<Shortcut[]>([]);

  constructor() {
    addEventListener('keydown', (event) => this.#press(event));
  }

  /** For `$effect(() => keys.serve([...]))`: takes the keys back when the component goes. */
  serve(shortcuts: Shortcut[]): () => void {
    untrack(() => (this.list = [...shortcuts, ...this.#others(shortcuts)]));
    return () => untrack(() => (this.list = this.#others(shortcuts)));
  }

  #others(shortcuts: Shortcut[]): Shortcut[] {
    return this.list.filter((shortcut) => !shortcuts.includes(shortcut));
  }

  #press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return;
    if (palette.caught(event)) return event.preventDefault();
    const name = (event.ctrlKey || event.metaKey ? 'Ctrl+' : '') + (event.key.length === 1 ? event.key.toLowerCase() : event.key);
    const typing = isTyping(event.target);
    for (const shortcut of this.list) {
      if (shortcut.key !== name || event.altKey || (typing && !shortcut.always)) continue;
      if (document.querySelector('dialog[open]')) continue;
      if (shortcut.run(event) === false) continue;
      event.preventDefault();
      return;
    }
  }
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export const keys = new Keys();
