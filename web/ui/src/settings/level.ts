// The autonomy levels in plain words, as the safety kernel decides them.

export interface LevelMeaning { level: number; word: string; means: string }

export const levelMeanings: LevelMeaning[] = [
  { level: 0, word: 'observe', means: 'Only reads; every change is refused.' },
  { level: 1, word: 'suggest', means: 'Puts every change before you as a card.' },
  { level: 2, word: 'act on request', means: 'Yellow runs when your own words asked for it; else a card.' },
  { level: 3, word: 'act & report', means: 'Yellow runs and is reported; orange and red ask.' },
  { level: 4, word: 'act in a plan', means: 'As 3; orange runs inside a plan that you approved. Red always asks.' },
];
