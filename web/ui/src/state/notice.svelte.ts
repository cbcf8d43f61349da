// Short words about something the person just did: undone, refused, copied. They are read aloud and go by themselves.

import { asProblem } from '../api';

export interface Notice { id: number; state: 'done' | 'failed'; text: string; link?: string }

class Notices {
  list = $state<Notice[]>([]);
  #next = 1;

  say(text: string, link?: string): void {
    this.#add({ id: this.#next++, state: 'done', text, ...(link && { link }) }, 5000);
  }

  problem(thrown: unknown): void {
    this.#add({ id: this.#next++, state: 'failed', text: asProblem(thrown).detail }, 10_000);
  }

  drop(id: number): void {
    this.list = this.list.filter((notice) => notice.id !== id);
  }

  #add(notice: Notice, millis: number): void {
    this.list = [...this.list.slice(-3), notice];
    setTimeout(() => this.drop(notice.id), millis);
  }
}

export const notices = new Notices();
