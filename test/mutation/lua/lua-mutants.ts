import { type Node, parse } from 'luaparse';

/** A script that was changed in one place. */
export interface LuaMutant {
  readonly line: number;
  /** Names the change for people, with the code that it replaces. */
  readonly change: string;
  readonly lua: string;
}

/** The operators that replace each one. `==` and `~=` have one opposite; the order of numbers also has a boundary. */
const REPLACEMENTS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=', '>='],
  '<=': ['<'],
  '>': ['>=', '<='],
  '>=': ['>'],
  '==': ['~='],
  '~=': ['=='],
  '+': ['-'],
  '-': ['+'],
  '*': ['/'],
  '/': ['*'],
  '%': ['+'],
  and: ['or'],
  or: ['and'],
};

type Range = readonly [start: number, end: number];

/**
 * Returns every mutant of a script, in the order of its text: each statement dropped, each initial value nil, each condition true
 * and false, each operator replaced, each `not` dropped. Declarations of functions and the reply of the script stay.
 */
export function luaMutants(lua: string): LuaMutant[] {
  const mutants: (LuaMutant & { readonly at: number })[] = [];
  const add = (node: Node, change: string, replaced: Range, replacement: string) =>
    mutants.push({
      line: node.loc?.start.line ?? 0,
      change: `${change}: ${lua.slice(...rangeOf(node))}`,
      lua: lua.slice(0, replaced[0]) + replacement + lua.slice(replaced[1]),
      at: replaced[0],
    });

  const chunk = parse(lua, { luaVersion: '5.1', ranges: true, locations: true });
  for (const node of nodesIn(chunk)) {
    for (const statement of 'body' in node && Array.isArray(node.body) ? node.body : []) {
      if (statement.type === 'LocalStatement') {
        const [first, last] = [statement.init[0], statement.init.at(-1)];
        if (first && last) add(statement, 'nil', [rangeOf(first)[0], rangeOf(last)[1]], 'nil');
      } else if (
        statement.type !== 'FunctionDeclaration' &&
        !(statement.type === 'ReturnStatement' && node === chunk)
      ) {
        add(statement, 'dropped', rangeOf(statement), '');
      }
    }
    if (node.type === 'IfClause' || node.type === 'ElseifClause') {
      for (const value of ['true', 'false']) add(node.condition, value, rangeOf(node.condition), value);
    }
    if (node.type === 'BinaryExpression' || node.type === 'LogicalExpression') {
      const leftEnd = rangeOf(node.left)[1];
      const start = leftEnd + lua.slice(leftEnd).indexOf(node.operator);
      for (const operator of REPLACEMENTS[node.operator] ?? []) {
        add(node, `${node.operator} is ${operator}`, [start, start + node.operator.length], operator);
      }
    }
    if (node.type === 'UnaryExpression' && node.operator === 'not') {
      add(node, 'without not', [rangeOf(node)[0], rangeOf(node.argument)[0]], '');
    }
  }
  return mutants.sort((a, b) => a.at - b.at).map(({ at, ...mutant }) => mutant);
}

/** Yields a node and all nodes within it. */
function* nodesIn(value: unknown): Generator<Node> {
  if (typeof value !== 'object' || value === null) return;
  if ('type' in value) yield value as Node;
  for (const each of Object.values(value)) yield* nodesIn(each);
}

function rangeOf(node: Node): Range {
  return (node as { readonly range?: Range }).range ?? [0, 0];
}
