// Tiers as they are being given. What is judged is what was read: it stays on the screen as it was, whatever the server
// says meanwhile, and goes out with its digest.

import { asProblem } from '../api';
import { mounts } from '../state/mounts.svelte';
import { tiers, type Tier } from '../text/tier';
import type { MountedToolInfo, Problem, ToolReview } from '../wire';
import { sorted } from './words';

const waits = (tool: MountedToolInfo) => tool.standing === 'new' || tool.standing === 'changed';
const seen = (tools: readonly MountedToolInfo[]) => JSON.stringify(tools.map(({ digest, standing, tier }) => [digest, standing, tier]).sort());

/** A tier, or none: then it is again as if nobody had read the tool. */
export type Choice = Tier | null;

export class ReviewDraft {
  tools = $state.raw<MountedToolInfo[]>([]);
  loaded = $state(false);
  busy = $state(false);
  problem = $state.raw<Problem | null>(null);
  /** Tools that were others when they were to be saved. */
  stale = $state(false);
  /** By digest: what is said of one wording holds for no other. */
  #chosen = $state<Record<string, Choice>>({});

  #now = $derived.by(() => mounts.list.find((mount) => mount.name === this.name));
  gone = $derived(this.loaded && this.#now === undefined);
  /** It says something else by now than what is on the screen. */
  elsewhere = $derived.by(() => this.loaded && !this.busy && this.#now !== undefined && seen(this.#now.tools) !== seen(this.tools));
  waiting = $derived(this.tools.filter(waits));
  changes = $derived.by<ToolReview[]>(() =>
    this.tools.flatMap((tool) => {
      const tier = this.#chosen[tool.digest];
      if (tier === undefined || tier === (waits(tool) ? null : tool.tier)) return [];
      return [{ tool: tool.name, digest: tool.digest, tier }];
    }),
  );
  open = $derived.by(() => this.waiting.filter((tool) => !this.#chosen[tool.digest]).length);

  constructor(readonly name: string) {}

  /** A tool that nobody has read has no tier to begin with. */
  tierOf(tool: MountedToolInfo): Tier | null {
    const chosen = this.#chosen[tool.digest];
    if (chosen !== undefined) return chosen;
    return (tool.standing === 'reviewed' && tiers.find((tier) => tier === tool.tier)) || null;
  }

  choose(tool: MountedToolInfo, tier: Choice): void {
    this.#chosen[tool.digest] = tier;
  }

  /** There is no such way to green: whoever lets a tool run unasked has read it. */
  chooseAll(tier: Exclude<Tier, 'green'>): void {
    for (const tool of this.waiting) this.#chosen[tool.digest] = tier;
  }

  /** What the server says now. */
  async load(): Promise<void> {
    await mounts.load();
    this.problem = mounts.problem;
    if (!mounts.problem) this.take();
  }

  take(): void {
    this.tools = sorted(this.#now?.tools ?? []);
    this.loaded = true;
  }

  async save(): Promise<boolean> {
    if (this.busy || this.changes.length === 0) return false;
    this.busy = true;
    this.problem = null;
    this.stale = false;
    try {
      await mounts.review(this.name, this.changes);
      return true;
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (problem.status === 400) {
        await this.load();
        this.stale = !this.problem;
      }
      this.problem = problem;
      return false;
    } finally {
      this.busy = false;
    }
  }
}
