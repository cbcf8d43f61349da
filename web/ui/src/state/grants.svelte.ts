// Grants: standing permissions of the operator. They are read again whenever they are shown, because no event names the
// grant that let a call through.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { GrantBody, GrantInfo, Problem } from '../wire';
import { coalesce } from './coalesce';

class Grants {
  list = $state.raw<GrantInfo[]>([]);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  live = $derived(this.list.filter((grant) => grant.state === 'live'));
  ended = $derived(this.list.filter((grant) => grant.state !== 'live'));

  load(): Promise<void> {
    return coalesce('grants', async () => {
      try {
        this.list = (await api.grants()).grants;
        this.loaded = true;
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async give(body: GrantBody): Promise<GrantInfo> {
    const given = await api.giveGrant(body);
    await this.load();
    return given;
  }

  async revoke(grant: GrantInfo): Promise<void> {
    await api.revokeGrant(grant.id);
    await this.load();
  }

  constructor() {
    onEvent((event) => {
      if (this.loaded && event.kind.startsWith('grant.')) void this.load();
    });
  }
}

export const grants = new Grants();
