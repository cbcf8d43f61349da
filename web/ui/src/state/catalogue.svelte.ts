// The tools that this person may see. Read once, and again when the server was started, or a mounted server or what is
// said of its tools changed.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { Problem, ToolInfo } from '../wire';
import { coalesce } from './coalesce';

class Catalogue {
  tools = $state.raw<ToolInfo[]>([]);
  problem = $state.raw<Problem | null>(null);
  byName = $derived(new Map(this.tools.map((tool) => [tool.name, tool])));

  load(): Promise<void> {
    return this.tools.length > 0 ? Promise.resolve() : this.again();
  }

  again(): Promise<void> {
    return coalesce('catalogue', async () => {
      try {
        this.tools = (await api.tools()).tools;
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  constructor() {
    onEvent((event) => {
      if (this.tools.length === 0) return;
      if (event.kind === 'server.started') this.tools = [];
      else if (event.kind !== 'mount.changed' && event.kind !== 'setting.changed') return;
      void this.again();
    });
  }
}

export const catalogue = new Catalogue();
