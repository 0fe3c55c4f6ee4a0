import type { LatencySummary } from '../measure/latency.ts';
import { duration, whole } from './format.ts';
import { headline } from './headline.ts';
import type { Report } from './report.ts';
import { earlyEndText, latencyRows, reportSections, thresholdText, verdict } from './report-sections.ts';

const NAME_WIDTH = 26;
const COLUMNS = ['p50', 'p90', 'p99', 'p99.9', 'max'] as const satisfies readonly (keyof LatencySummary)[];

/**
 * Renders the report for a terminal.
 * @param files the files that hold the report as well
 */
export function renderText(report: Report, files: readonly string[]): string {
  const sections = reportSections(report).map(
    ({ title, rows }) => `${title}\n${rows.map(([name, value]) => `  ${name.padEnd(NAME_WIDTH)} ${value}\n`).join('')}`,
  );
  const thresholds = report.thresholds.map(
    (result) => `  ${result.passed ? 'ok  ' : 'FAIL'} ${thresholdText(result)}\n`,
  );
  const notice = report.ended === 'completed' ? '' : `${earlyEndText(report.ended)}\n\n`;
  const written = files.length === 0 ? '' : `  written to ${files.join(' and ')}\n`;
  return `
Heliograph ${report.version}: ${report.commandLine}

${notice}${[...sections, ...latencies(report)].join('\n')}
Bottleneck
  ${report.bottleneck}

Thresholds
${thresholds.join('')}
Result
  ${headline(report)}
  ${verdict(report)}
${written}`;
}

function latencies(report: Report): readonly string[] {
  const rows = latencyRows(report);
  if (rows.length === 0) return [];
  const line = (name: string, cells: readonly string[]) =>
    `${name.padEnd(NAME_WIDTH + 3)}${cells.map((cell) => cell.padStart(9)).join('  ')}\n`;
  const lines = rows.map(({ name, summary }) =>
    line(`  ${name}`, [...COLUMNS.map((column) => duration(summary[column])), whole(summary.count)]),
  );
  return [line('Latency', [...COLUMNS, 'count']) + lines.join('')];
}
