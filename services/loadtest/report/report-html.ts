import type { Report } from './report.ts';

/** The report as a page. */
export function renderHtml(report: Report): string {
  return JSON.stringify(report);
}
