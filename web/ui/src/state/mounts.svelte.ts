// Mounted MCP servers. What becomes of one is an event, except the end of a further try that fails as the last one did:
// so while one is being reached, a few looks are taken, each later than the last, and then no more.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { MountBody, MountInfo, Problem, ToolReview } from '../wire';
import { catalogue } from './catalogue.svelte';
import { coalesce } from './coalesce';

/** A program that is missing is told at once; longest is a server that does not answer, after 60 s. */
const LOOKS = [500, 2_000, 9_000, 20_000, 40_000];

class Mounts {
  list = $state.raw<MountInfo[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  names = $derived(this.list.map((mount) => mount.name));
  #timer: ReturnType<typeof setTimeout> | null = null;
  #looks = 1;

  load(): Promise<void> {
    return coalesce('mounts', async () => {
      try {
        this.list = (await api.mounts()).mounts;
        this.loaded = true;
        this.problem = null;
        if (this.list.some((mount) => mount.state === 'connecting')) this.#follow();
        else this.#looks = 1;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async keep(name: string, body: MountBody): Promise<void> {
    await api.keepMount(name, body);
    await this.#after();
  }

  async remove(mount: MountInfo): Promise<void> {
    await api.removeMount(mount.name);
    await this.#after();
  }

  async retry(mount: MountInfo): Promise<void> {
    await api.retryMount(mount.name);
    this.#looks = 0;
    this.#follow();
  }

  /** All or none: each tool as it was read. */
  async review(name: string, reviews: ToolReview[]): Promise<void> {
    await api.reviewTools(name, { reviews });
    await this.#after();
  }

  /** The event of a change comes a moment before it is in force. */
  #after(): Promise<unknown> {
    void catalogue.load().then(() => catalogue.again());
    return this.load();
  }

  #follow(): void {
    const wait = LOOKS[this.#looks];
    if (wait === undefined || this.#timer !== null) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#looks += 1;
      if (!document.hidden) void this.load();
    }, wait);
  }

  constructor() {
    onEvent((event) => {
      const told = event.kind === 'mount.changed' || event.kind === 'setting.changed' || event.kind === 'server.started';
      if (!this.loaded || !told) return;
      this.#looks = 1;
      void this.load();
    });
  }
}

export const mounts = new Mounts();
