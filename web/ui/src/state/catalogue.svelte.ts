// The tools that this person may see. Read once; the catalogue changes only with the server.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { Problem, ToolInfo } from '../wire';
import { coalesce } from './coalesce';

class Catalogue {
  tools = $state.raw<ToolInfo[]>([]);
  problem = $state.raw<Problem | null>(null);
  byName = $derived(new Map(this.tools.map((tool) => [tool.name, tool])));

  load(): Promise<void> {
    if (this.tools.length > 0) return Promise.resolve();
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
      if (event.kind !== 'server.started' || this.tools.length === 0) return;
      this.tools = [];
      void this.load();
    });
  }
}

export const catalogue = new Catalogue();
