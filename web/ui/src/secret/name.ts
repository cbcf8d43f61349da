// Names of secrets, as safety/src/secret/name.rs has them, and the references that hold them. Pure.

/** The name that is proposed for the key of the model. */
export const MODEL_KEY = 'model-key';

/** A name that is only dots would be read as a step within the address of the request. */
export const isName = (name: string) => /^[A-Za-z0-9_.-]{1,64}$/.test(name) && name !== '.' && name !== '..';

export const referenceTo = (name: string) => `secret://${name}`;

/** This name, or with the first number that makes it one which is not taken. */
export function freeName(name: string, taken: readonly string[]): string {
  let free = name;
  for (let number = 2; taken.includes(free); number += 1) free = `${name}-${number}`;
  return free;
}
