// What is said of a secret in few plain words. Pure.

import { count, plural, when } from '../text/format';
import { visible } from '../text/visible';
import type { ImportReport, SecretInfo } from '../wire';
import { referenceTo } from './name';

export const usesWords = ({ uses }: Pick<SecretInfo, 'uses'>) =>
  uses.length > 0 ? uses.map(({ tool, target }) => `${visible(tool)} → ${visible(target)}`).join(' · ') : 'only Jarvis’s own settings';

export const changeWords = ({ version, changed_at }: Pick<SecretInfo, 'version' | 'changed_at'>) =>
  version > 1 ? `version ${count(version)} · changed ${when(changed_at)}` : `kept ${when(changed_at)}`;

/** What its removal ends; `key` is the reference of the model's key, if it has one. */
export function removalWords(name: string, key: string | null | undefined): string {
  const reference = referenceTo(name);
  return `Whatever refers to ${reference} stops working${key === reference ? ', the model among it' : ''}. Its value is struck out for 30 days longer.`;
}

export const reportWords = ({ kept, skipped }: ImportReport) => `${plural(kept.length, 'secret')} kept, ${plural(skipped.length, 'line')} skipped.`;
