// Calls and jobs of which nobody can tell what became of them, until somebody has looked.

import { api } from '../api';
import { onEvent } from '../stream/hub';
import type { DoubtInfo } from '../wire';
import { coalesce } from './coalesce';

class Doubts {
  open = $state<DoubtInfo[]>([]);

  async load(): Promise<void> {
    await coalesce('doubts', async () => {
      this.open = (await api.doubts()).doubts;
    });
  }

  async acknowledge(subject: string): Promise<void> {
    await api.acknowledge(subject);
    this.open = this.open.filter((doubt) => doubt.subject !== subject);
  }

  constructor() {
    onEvent((event) => {
      // What cannot be read now is read again with the next of them.
      if (event.kind.endsWith('.unknown') || event.kind.startsWith('doubt.')) void this.load().catch(() => undefined);
    });
  }
}

export const doubts = new Doubts();
