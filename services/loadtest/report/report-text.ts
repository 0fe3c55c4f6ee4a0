import type { Report } from './report.ts';
import { reportSections, verdictText } from './report-rows.ts';

/** The report for a terminal. */
export function renderText(report: Report): string {
  const sections = reportSections(report).map(
    ({ title, rows }) => `${title}\n${rows.map(([name, value]) => `  ${name.padEnd(26)} ${value}\n`).join('')}`,
  );
  const verdicts = report.verdicts.map((verdict) => `  ${verdict.isKept ? 'ok  ' : 'FAIL'} ${verdictText(verdict)}\n`);
  const begins = report.ended === 'completed' ? '' : `The test was ${report.ended}: this is the report so far.\n\n`;
  return `
${begins}${sections.join('\n')}
The wall
  ${report.wall}

Thresholds
${verdicts.join('')}`;
}
