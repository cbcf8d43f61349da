// Which entries of a turn are shown, and which of them only lead up to something that is shown as well.

import type { ApprovalInfo, TurnEntry, TurnInfo } from '../wire';

export interface ShownEntry {
  entry: TurnEntry;
  /** Words about a card that was decided: small and dim. While it is open they are left to it. */
  quiet: boolean;
}

type Card = (id: string) => Pick<ApprovalInfo, 'state' | 'steps'> | undefined;

/** Whether the words are a person's. A program's are asked again by nobody but itself. */
export const byPerson = (turn: Pick<TurnInfo, 'actor'>) => turn.actor === 'operator' || turn.actor === 'local';

export function shownEntries(turn: TurnInfo, cardOf: Card): ShownEntry[] {
  const shown: ShownEntry[] = [];
  /** Calls that the card of a plan, still on the screen, speaks for. */
  let covered = 0;
  turn.entries.forEach((entry, at) => {
    if (entry.kind === 'call') {
      if (covered > 0 && entry.answer.approval == null && entry.answer.call == null) {
        covered -= 1;
        return;
      }
      const card = entry.answer.state === 'waiting' && entry.answer.approval ? cardOf(entry.answer.approval) : undefined;
      if (card) covered = card.steps.length - 1;
    }
    const quiet = entry.kind === 'said' && asksForApproval(turn, at);
    if (quiet && isOnCard(turn, at, cardOf)) return;
    shown.push({ entry, quiet });
  });
  return shown;
}

/** By rule, the words before a decision repeat the card. They are the first after a call that has an approval, and the
    turn either waits still or has spoken again since. */
function asksForApproval(turn: TurnInfo, at: number): boolean {
  if (turn.footer && turn.footer.route !== 'rule') return false;
  const before = turn.entries.slice(0, at);
  if (before.some((entry) => entry.kind === 'said')) return false;
  if (!before.some((entry) => entry.kind === 'call' && entry.answer.approval != null)) return false;
  return turn.state === 'waiting' || turn.entries.slice(at + 1).some((entry) => entry.kind === 'said');
}

/** Whether the card that these words lead to stands open above them: it says the same, and more. */
const isOnCard = (turn: TurnInfo, at: number, cardOf: Card): boolean =>
  turn.entries.slice(0, at).some((entry) => entry.kind === 'call' && entry.answer.state === 'waiting' && entry.answer.approval != null && cardOf(entry.answer.approval)?.state === 'pending');

/** Whether a person is what a waiting turn waits for, and not a card that was decided and is being carried out. */
export function needsPerson(turn: TurnInfo, cardOf: Card): boolean {
  const cards = turn.entries.flatMap((entry) => (entry.kind === 'call' && entry.answer.approval ? [cardOf(entry.answer.approval)] : []));
  return turn.state === 'waiting' && (cards.length === 0 || cards.some((card) => card === undefined || card.state === 'pending'));
}
