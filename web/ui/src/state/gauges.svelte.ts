// This machine, live: the latest gauges and the last ten minutes or so of them, in memory only.

import { onFrame } from '../stream/hub';
import type { Gauges } from '../wire';

export interface Sample { at: number; cpu: number; memory: number; down: number; up: number }

const KEPT = 240;

class GaugeStore {
  now = $state.raw<Gauges | null>(null);
  at = $state(0);
  past = $state.raw<Sample[]>([]);

  constructor() {
    onFrame((frame) => {
      if (frame.subject === 'host' && frame.kind === 'gauges') this.#take(frame.data as Gauges);
    });
  }

  #take(gauges: Gauges): void {
    this.now = gauges;
    this.at = Date.now();
    const sample = {
      at: this.at,
      cpu: gauges.cpu_percent,
      memory: gauges.memory_used,
      down: gauges.network[0],
      up: gauges.network[1],
    };
    this.past = [...this.past.slice(1 - KEPT), sample];
  }
}

export const gauges = new GaugeStore();
