// Schedules: calls that are submitted as jobs again and again. Read again when one was saved, removed, or has run.

import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { onEvent } from '../stream/hub';
import type { Problem, ScheduleBody, ScheduleInfo } from '../wire';
import { argsOf, toolOf } from './words';

/** A run stands in the store a moment before its job does. */
const SOON = 2000;

class Schedules {
  list = $state.raw<ScheduleInfo[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  byId = $derived(new Map(this.list.map((one) => [one.id, one])));
  active = $derived(this.list.filter((one) => one.active).length);

  load(): Promise<void> {
    return coalesce('schedules', async () => {
      try {
        this.list = (await api.schedules()).schedules;
        this.loaded = true;
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async save(id: string | null, body: ScheduleBody): Promise<ScheduleInfo> {
    const saved = await (id === null ? api.newSchedule(body) : api.changeSchedule(id, body));
    await this.load();
    return saved;
  }

  async pause(schedule: ScheduleInfo): Promise<ScheduleInfo> {
    return this.save(schedule.id, { ...bodyOf(schedule), active: !schedule.active });
  }

  async remove(id: string): Promise<void> {
    await api.removeSchedule(id);
    await this.load();
  }

  constructor() {
    onEvent((event) => {
      if (!this.loaded) return;
      const ran = event.kind === 'job.submitted' && this.list.some((one) => (one.next_at ?? Infinity) <= Date.now() + SOON);
      if (ran || event.kind.startsWith('schedule.')) void this.load();
    });
  }
}

/** What it would be made with again. */
export const bodyOf = (schedule: ScheduleInfo): ScheduleBody => ({
  name: schedule.name, tool: toolOf(schedule), args: argsOf(schedule), cron: schedule.cron, zone: schedule.zone, catch_up: schedule.catch_up, active: schedule.active,
});

export const schedules = new Schedules();
