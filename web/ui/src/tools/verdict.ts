// What the gate would answer, in words and as a mark.

import type { Mark } from '../text/state';

const verdicts: Record<string, { word: string; mark: Mark; button: string }> = {
  run: { word: 'runs at once', mark: 'ok', button: 'Run' },
  ask: { word: 'asks for approval', mark: 'ask', button: 'Ask for approval' },
  refuse: { word: 'is refused', mark: 'bad', button: 'Refused' },
};

export const verdictOf = (verdict: string) => verdicts[verdict] ?? { word: verdict, mark: 'unknown' as Mark, button: 'Run' };
