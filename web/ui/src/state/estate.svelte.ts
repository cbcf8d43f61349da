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
/** Of a running container. `cpu_percent` counts one processor as 100; the rest in bytes, traffic since its start. */
export interface ContainerStats {
  name: string;
  cpu_percent: number;
  memory_bytes: number;
  memory_limit_bytes: number;
  net_received_bytes: number;
  net_sent_bytes: number;
}
export interface Service { name: string; description?: string; active: string; sub?: string }
export interface SystemInfo { host?: string; os?: string; kernel?: string; [field: string]: unknown }

const STALE = 15_000;
const ABSENT = 600_000;

/** Codes of the requests that failed, not of the thing that was to be read. */
const lasting = /^(?!(unreachable|client|http|unauthenticated|rate_limited|stopped|policy\w*|above_ceiling|forbidden|internal|misdirected|cancelled|unknown|waiting)$)/;

/** One tool's output. `absent`: the tool is not there or cannot read its thing; `words` says why. */
export class Reading<T> {
  state = $state<'unread' | 'ready' | 'absent'>('unread');
  value = $state.raw<T | null>(null);
  words = $state('');
  code = $state('');
  /** Whether the request failed, and not the thing: stopped, signed out, too many. It passes. */
  passing = $state(false);
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
    this.passing = false;
    this.words = answer.words;
  }

  #absent(code: string, words: string): void {
    this.passing = !lasting.test(code);
    this.code = code;
    this.words = words;
    // What was read before stands until it can be read again.
    if (this.passing && this.value !== null) return;
    this.state = 'absent';
    this.value = null;
    // A page that is left, a server that restarts or a refusal says nothing about the machine: it is read again.
    if (this.passing) {
      this.at = 0;
      return;
    }
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
      if (event.kind === 'kill.off') return void this.load();
      if (!/^call\.(done|failed|unknown|cancelled)$/.test(event.kind)) return;
      if (event.tool?.startsWith('docker_') || event.tool?.startsWith('compose_')) void this.#docker();
      if (event.tool?.startsWith('service_')) void this.services.load();
    });
  }
}

export const estate = new Estate();
