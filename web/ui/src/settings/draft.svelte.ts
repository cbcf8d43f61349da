// The settings as they are, and as they stand in the form. The draft outlives the page, so that looking something up
// elsewhere loses nothing.

import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { onEvent } from '../stream/hub';
import type { Problem, SettingsInfo } from '../wire';
import { faultsOf, fieldOf, type Faults } from './fault';

const names: Record<string, string> = {
  autonomy: 'autonomy', model: 'model', roots: 'folders', hosts: 'hosts', approval_minutes: 'approval time', mcp_hold_seconds: 'MCP hold', audit_reads: 'audit of reads',
};

const copyOf = (settings: SettingsInfo): SettingsInfo => ({
  ...(JSON.parse(JSON.stringify(settings)) as SettingsInfo),
  autonomy: { default: settings.autonomy.default, rules: JSON.parse(JSON.stringify(settings.autonomy.rules ?? [])) as [] },
  roots: JSON.parse(JSON.stringify(settings.roots ?? [])) as [],
  hosts: [...(settings.hosts ?? [])],
  model: settings.model ? { ...settings.model } : null,
});

class SettingsDraft {
  saved = $state.raw<SettingsInfo | null>(null);
  now = $state<SettingsInfo | null>(null);
  problem = $state.raw<Problem | null>(null);
  busy = $state(false);
  savedAt = $state(0);
  /** What the server said about a field, until that is changed. */
  #refused = $state.raw<{ field: string; words: string; sent: string } | null>(null);

  changed = $derived.by(() => {
    const { saved, now } = this;
    if (!saved || !now) return [];
    return Object.keys(names).filter((name) => JSON.stringify(saved[name as keyof SettingsInfo]) !== JSON.stringify(now[name as keyof SettingsInfo]));
  });
  changedWords = $derived(this.changed.map((name) => names[name] ?? name));
  faults = $derived.by<Faults>(() => {
    if (!this.now) return {};
    const faults = faultsOf(this.now);
    const refused = this.#refused;
    if (refused && refused.sent === JSON.stringify(this.now)) faults[refused.field] ??= refused.words;
    return faults;
  });
  right = $derived(Object.keys(this.faults).length === 0);
  /** Somebody else saved while something stands in the form. */
  elsewhere = $state(false);

  load(): Promise<void> {
    return coalesce('settings', async () => {
      try {
        const mine = this.changed.length > 0;
        const settings = copyOf(await api.settings());
        if (mine && JSON.stringify(settings) !== JSON.stringify(this.saved)) this.elsewhere = true;
        this.saved = settings;
        if (!mine) this.now = copyOf(settings);
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  discard(): void {
    if (this.saved) this.now = copyOf(this.saved);
    this.elsewhere = false;
    this.problem = null;
  }

  async save(): Promise<void> {
    if (!this.now || !this.right || this.busy) return;
    this.busy = true;
    this.problem = null;
    const sent = JSON.stringify(this.now);
    try {
      const settings = copyOf(await api.saveSettings(JSON.parse(sent) as SettingsInfo));
      this.saved = settings;
      this.now = copyOf(settings);
      this.savedAt = Date.now();
      this.elsewhere = false;
    } catch (thrown) {
      const problem = asProblem(thrown);
      const field = problem.status === 400 ? fieldOf(problem.detail, this.now) : '';
      if (field) this.#refused = { field, words: problem.detail, sent };
      else this.problem = problem;
    } finally {
      this.busy = false;
    }
  }

  constructor() {
    onEvent((event) => {
      if (event.kind === 'setting.changed' && this.saved && !this.busy) void this.load();
    });
  }
}

export const draft = new SettingsDraft();
