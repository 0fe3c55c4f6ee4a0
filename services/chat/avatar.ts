/** Number of avatar colours; the style sheet has a class `hue-<n>` for each. */
export const HUES = 8;

/** Returns the avatar colour of a name, 0 to `HUES - 1`; the same name always gets the same one. */
export function hueOf(name: string): number {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 65_521;
  return sum % HUES;
}

/** Returns the character to show in the avatar: the first letter or digit of the name, in upper case. */
export function initialOf(name: string): string {
  return (name.match(/\p{L}|\p{N}/u)?.[0] ?? [...name][0] ?? '').toLocaleUpperCase('en');
}
