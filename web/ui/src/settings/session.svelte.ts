// Sessions that are open: where each is from, and the ways to end it.

import { api, asProblem } from '../api';
import { coalesce } from '../state/coalesce';
import { onEvent } from '../stream/hub';
import { visible } from '../text/visible';
import type { OpenSession, Problem } from '../wire';

/** Where it was opened, in words. */
export function placeWords({ face, place }: OpenSession): string {
  const from = place === '' ? 'from somewhere' : place === 'socket' ? 'on this machine' : `from ${visible(place)}`;
  return `${face === '' ? 'opened' : face === 'cli' ? 'program' : visible(face)} ${from}`;
}

class Sessions {
  list = $state.raw<OpenSession[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);

  load(): Promise<void> {
    return coalesce('sessions', async () => {
      try {
        this.list = (await api.sessions()).sessions;
        this.loaded = true;
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async end(session: OpenSession): Promise<void> {
    await api.endSession(session.id);
    await this.load();
  }

  async endOthers(): Promise<void> {
    await api.endOtherSessions();
    await this.load();
  }

  constructor() {
    onEvent((event) => {
      if (this.loaded && event.kind.startsWith('session.')) void this.load();
    });
  }
}

export const sessions = new Sessions();
