// Secrets: what is known of them, never what they are.

import { api, asProblem } from '../api';
import { onEvent } from '../stream/hub';
import type { ImportBody, ImportReport, Problem, SecretBody, SecretInfo } from '../wire';
import { coalesce } from './coalesce';

class Secrets {
  list = $state.raw<SecretInfo[]>([]);
  /** Where the key of the vault lies. */
  key = $state('');
  /** Why the vault cannot be opened. */
  fault = $state<string | null>(null);
  loaded = $state(false);
  problem = $state.raw<Problem | null>(null);
  names = $derived(this.list.map((secret) => secret.name));
  /** Whether one can be kept or changed. */
  open = $derived(this.loaded && this.fault === null);

  load(): Promise<void> {
    return coalesce('secrets', async () => {
      try {
        const { secrets, key, fault } = await api.secrets();
        this.list = secrets;
        this.key = key;
        this.fault = fault ?? null;
        this.loaded = true;
        this.problem = null;
      } catch (thrown) {
        this.problem = asProblem(thrown);
      }
    });
  }

  async keep(name: string, body: SecretBody): Promise<SecretInfo> {
    const kept = await api.keepSecret(name, body);
    await this.load();
    return kept;
  }

  async import(body: ImportBody): Promise<ImportReport> {
    const report = await api.importSecrets(body);
    await this.load();
    return report;
  }

  async remove(secret: SecretInfo): Promise<void> {
    await api.removeSecret(secret.name);
    await this.load();
  }

  constructor() {
    onEvent((event) => {
      // A vault that could not be opened may be open after a start.
      const vault = event.kind === 'vault.rekeyed' || event.kind === 'server.started';
      if (this.loaded && (vault || event.kind.startsWith('secret.'))) void this.load();
    });
  }
}

export const secrets = new Secrets();
