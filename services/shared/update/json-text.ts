/**
 * Valid JSON without whitespace between its tokens, and so without line breaks. It is passed on as it is: digits and the
 * order of keys stay, and no process on the way spends memory on its objects.
 */
export type JsonText = string & { readonly __brand: 'JSON text' };

/** Encodes a value as JSON text; undefined for a value that JSON does not have. */
export function toJsonText(value: unknown): JsonText | undefined {
  return JSON.stringify(value) as JsonText | undefined;
}

/** A member of an object: its value, and how deep arrays and objects are nested in it; 0 for a number or string. */
export interface JsonMember {
  readonly text: JsonText;
  readonly depth: number;
}

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * Splits the text of a JSON object or list into its members, without parsing their values. Those of a list have their positions
 * as names. Of members with the same name the last one counts, as for `JSON.parse`.
 *
 * @param text valid JSON, an object or a list
 */
export function splitJsonObject(text: string): ReadonlyMap<string, JsonMember> {
  const members = new Map<string, JsonMember>();
  const isList = /^\s*\[/.test(text);
  let name = '';
  let compact = '';
  let copiedTo = 0;
  let depth = 0;
  let deepest = 0;
  const take = (end: number): string => {
    const taken = compact + text.slice(copiedTo, end);
    compact = '';
    copiedTo = end + 1;
    return taken;
  };
  const endMember = (end: number): void => {
    const value = take(end);
    if (value !== '') members.set(isList ? String(members.size) : name, { text: value as JsonText, depth: deepest });
    deepest = 0;
  };
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) i = endOfString(text, i);
    else if (code <= 0x20) {
      compact += text.slice(copiedTo, i);
      copiedTo = i + 1;
    } else if (isOpening(code)) {
      if (depth === 0) take(i);
      else deepest = Math.max(deepest, depth);
      depth += 1;
    } else if (isClosing(code)) {
      depth -= 1;
      if (depth === 0) endMember(i);
    } else if (depth === 1 && code === COLON) name = JSON.parse(take(i)) as string;
    else if (depth === 1 && code === COMMA) endMember(i);
  }
  return members;
}

function isOpening(code: number): boolean {
  return code === 0x5b || code === 0x7b;
}

function isClosing(code: number): boolean {
  return code === 0x5d || code === 0x7d;
}

/**
 * Returns a member of a member of a value, and so on; undefined if there is none.
 *
 * @param text valid JSON
 * @param path names of members, and positions in lists
 */
export function jsonMemberAt(text: string, path: readonly string[]): JsonMember | undefined {
  let member = splitJsonObject(`[${text}]`).get('0');
  for (const name of path) {
    const isNested = member !== undefined && /^[[{]/.test(member.text);
    member = isNested ? splitJsonObject(member?.text ?? '').get(name) : undefined;
  }
  return member;
}

/** Returns the position of the quote that ends the string beginning at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end < 0 ? text.length : end;
}

function isEscaped(text: string, position: number): boolean {
  let before = position - 1;
  while (text.charCodeAt(before) === BACKSLASH) before -= 1;
  return (position - before) % 2 === 0;
}
