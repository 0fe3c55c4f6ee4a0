import { closeSync, openSync, writeFileSync } from 'node:fs';
import type { LoadtestOptions } from '../options/options.ts';
import { OptionError } from '../options/parse-options.ts';
import type { Report } from './report.ts';
import { renderHtml } from './report-html.ts';
import { renderText } from './report-text.ts';

type Files = Pick<LoadtestOptions, 'htmlFile' | 'jsonFile'>;

/**
 * Checks before the test that its report can be written.
 * @throws {OptionError} if a file is not writable
 */
export function checkReportFiles({ htmlFile, jsonFile }: Files): void {
  for (const [name, file] of Object.entries({ html: htmlFile, json: jsonFile })) {
    if (file === undefined || file === '-') continue;
    try {
      closeSync(openSync(file, 'a'));
    } catch (error) {
      throw new OptionError(`--${name} must be a writable file: ${(error as Error).message}`);
    }
  }
}

/** Writes the report to standard output, as text or with `--json -` as JSON, and to the requested files. */
export function writeReport(report: Report, { htmlFile, jsonFile }: Files): void {
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  const files: string[] = [];
  if (htmlFile !== undefined) {
    writeFileSync(htmlFile, renderHtml(report));
    files.push(htmlFile);
  }
  if (jsonFile !== undefined && jsonFile !== '-') {
    writeFileSync(jsonFile, json);
    files.push(jsonFile);
  }
  process.stdout.write(jsonFile === '-' ? json : renderText(report, files));
}
