/** How many colours there are for names; each has a class in the style sheet. */
export const HUES = 8;

/** The colour of a name, always the same. */
export function hueOf(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return sum % HUES;
}

/** What stands for a name in a small round field. */
export function initialOf(name: string): string {
  return (name.match(/\p{L}|\p{N}/u)?.[0] ?? [...name][0] ?? '').toLocaleUpperCase('en');
}
