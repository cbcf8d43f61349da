// Containers and services of this host, read with the same tools that everybody else uses. Each reading is a row of
// the audit, so it is taken when a page opens, when the tab comes back, and after something acted on them; there is
// no timer.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { CallAnswer } from '../wire';
import { coalesce } from './coalesce';

export interface Container {
  id: string;
  name: string;
  image: string;
  state: string;
  status: string;
  health?: string | null;
  ports?: unknown[];
  created?: number | string;
}
export interface ContainerStats { id: string; name: string; cpu_percent: number; memory_used: number; memory_limit: number }
export interface Service { name: string; description?: string; active: string; sub?: string }
export interface SystemInfo { host?: string; os?: string; kernel?: string; [field: string]: unknown }

const STALE = 15_000;
const ABSENT = 600_000;

/** One tool's output. `absent`: the tool is not there or cannot read its thing; `words` says why. */
export class Reading<T> {
  state = $state<'unread' | 'ready' | 'absent'>('unread');
  value = $state.raw<T | null>(null);
  words = $state('');
  code = $state('');
  at = $state(0);
  loading = $state(false);

  constructor(readonly tool: string, readonly pick: (output: Record<string, unknown>) => T) {}

  load(): Promise<void> {
    return coalesce(`reading ${this.tool}`, async () => {
      this.loading = true;
      this.at = Date.now();
      try {
        this.#take(await api.read(this.tool));
      } catch (thrown) {
        const problem = asProblem(thrown);
        this.#absent(problem.code, problem.detail);
      } finally {
        this.loading = false;
      }
    });
  }

  #take(answer: CallAnswer): void {
    if (answer.state !== 'done') return this.#absent(answer.error ?? answer.state, answer.words);
    this.value = this.pick((answer.output ?? {}) as Record<string, unknown>);
    this.state = 'ready';
    this.words = answer.words;
  }

  #absent(code: string, words: string): void {
    if (code === 'unreachable' && this.value !== null) return;
    this.state = 'absent';
    this.value = null;
    this.code = code;
    this.words = words;
    sessionStorage.setItem(this.#key, JSON.stringify({ code, words, at: this.at }));
  }

  get #key(): string {
    return `jarvis.absent.${this.tool}`;
  }

  /** For a page that opens: what was not there a few minutes ago is not asked for again, unless somebody wants it. */
  async open(): Promise<void> {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.#key) ?? 'null') as { code: string; words: string; at: number } | null;
      if (kept && Date.now() - kept.at < ABSENT) {
        this.at = kept.at;
        return this.#absent(kept.code, kept.words);
      }
    } catch { /* then it is read */ }
    return this.load();
  }

  /** Reads again what is older than a few seconds; what is absent, only after some minutes. */
  async refresh(): Promise<void> {
    if (this.state !== 'unread' && Date.now() - this.at > (this.state === 'absent' ? ABSENT : STALE)) await this.load();
  }
}

const list = <T>(name: string) => (output: Record<string, unknown>) => (Array.isArray(output[name]) ? output[name] : []) as T[];

class Estate {
  system = new Reading<SystemInfo>('system_info', (output) => output as SystemInfo);
  containers = new Reading<Container[]>('docker_list', list<Container>('containers'));
  stats = new Reading<ContainerStats[]>('docker_stats', list<ContainerStats>('containers'));
  services = new Reading<Service[]>('service_list', list<Service>('services'));

  async load(): Promise<void> {
    await Promise.all([
      this.system.open(),
      this.services.open(),
      this.containers.open().then(() => this.containers.state === 'ready' ? this.stats.open() : undefined),
    ]);
  }

  refresh(): void {
    void this.containers.refresh().then(() => this.containers.state === 'ready' ? this.stats.refresh() : undefined);
    void this.services.refresh();
  }

  async #docker(): Promise<void> {
    await this.containers.load();
    if (this.containers.state === 'ready') await this.stats.load();
  }

  constructor() {
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.refresh();
    });
    onEvent((event) => {
      if (!/^call\.(done|failed|unknown|cancelled)$/.test(event.kind)) return;
      if (event.tool?.startsWith('docker_') || event.tool?.startsWith('compose_')) void this.#docker();
      if (event.tool?.startsWith('service_')) void this.services.load();
    });
  }
}

export const estate = new Estate();
