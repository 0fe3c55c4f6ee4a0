import { availableParallelism, cpus, totalmem } from 'node:os';
import type { Bench, BenchResult } from './bench.ts';
import { compareBuilds, comparisonRow } from './compare-builds.ts';

/** Renders the results as Markdown that is also readable in a terminal. */
export function renderReport(deps: {
  benches: readonly Bench[];
  results: Readonly<Record<string, BenchResult>>;
  /** The load average of the machine before the first and after each bench. */
  loads: readonly number[];
}): string {
  const { benches, results, loads } = deps;
  const parts = [machineText(loads)];
  for (const { name, description } of benches) {
    const result = results[name];
    if (result) parts.push(`### ${name}\n\n${description}.`, renderTable(result.columns, result.rows));
  }
  const goals = Object.values(results).flatMap((result) => result.goals);
  const verdicts = goals.map(({ description, atMost, measured }) => [
    description,
    `≤ ${atMost}`,
    measured.toFixed(2),
    measured <= atMost ? 'yes' : 'NO',
  ]);
  if (goals.length > 0) parts.push('### Goals', renderTable(['metric', 'goal', 'measured', 'reached'], verdicts));
  const compared = Object.entries(results).flatMap(([name, result]) =>
    compareBuilds(result).map((comparison) => ({ name, comparison })),
  );
  if (compared.length > 0) {
    const columns = ['bench', 'value', 'relative to the other build', 'spread', 'verdict'];
    const rows = compared.map(({ name, comparison }) => comparisonRow(name, comparison));
    const regressions = compared.filter(({ comparison }) => comparison.verdict === 'regression').length;
    parts.push('### This build and the other', renderTable(columns, rows));
    parts.push(
      `${regressions} of ${compared.length} values are a regression: worse by more than 10 % and than the spread.`,
    );
  }
  return `${parts.join('\n\n')}\n`;
}

function machineText(loads: readonly number[]): string {
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`;
  const [least, most] = [Math.min(...loads), Math.max(...loads)].map((load) => load.toFixed(1));
  return `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${memory}, Node ${process.version}; load from ${least} to ${most}.`;
}

/** Renders a Markdown table with columns of equal width. */
export function renderTable(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, i) => Math.max(column.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |`;
  return [line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
