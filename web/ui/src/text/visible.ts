// Characters that could dress one name up as another, or reorder the sentence they stand in, are shown as \u{…}.
// The server does the same for the sentences it makes; this is for the raw names, arguments and logs beside them.
// The set is that of safety/src/plain.rs, and Svelte escapes the rest.

const deceptive =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufe00-\ufe0f\ufff0-\ufffb\u{e0000}-\u{e0fff}]/gu;

const escaped = (character: string) => `\\u{${character.codePointAt(0)!.toString(16)}}`;

/** For names and one-line values. */
export const visible = (text: string) => text.replace(deceptive, escaped);

/** For logs and diffs: line breaks and tabs stay. */
export const visibleBlock = (text: string) =>
  text.replace(deceptive, (character) => (character === '\n' || character === '\t' ? character : escaped(character)));
