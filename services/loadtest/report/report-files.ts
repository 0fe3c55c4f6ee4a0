import { closeSync, openSync, writeFileSync } from 'node:fs';
import type { LoadtestOptions } from '../options/options.ts';
import { OptionError } from '../options/parse-options.ts';
import type { Report } from './report.ts';
import { renderHtml } from './report-html.ts';
import { renderText } from './report-text.ts';

type Files = Pick<LoadtestOptions, 'htmlFile' | 'jsonFile'>;

/** Throws an `OptionError` where the report could not be written in the end, which would be late to learn. */
export function checkReportFiles({ htmlFile, jsonFile }: Files): void {
  for (const [name, file] of Object.entries({ html: htmlFile, json: jsonFile })) {
    if (file === undefined || file === '-') continue;
    try {
      closeSync(openSync(file, 'a'));
    } catch (error) {
      throw new OptionError(`--${name} must be a file that can be written: ${(error as Error).message}`);
    }
  }
}

/** Writes the report as text to standard output, or as JSON where that is asked for there, and into the files. */
export function writeReport(report: Report, { htmlFile, jsonFile }: Files): void {
  const json = `${JSON.stringify(report, undefined, 2)}\n`;
  process.stdout.write(jsonFile === '-' ? json : renderText(report));
  if (jsonFile !== undefined && jsonFile !== '-') writeFileSync(jsonFile, json);
  if (htmlFile !== undefined) writeFileSync(htmlFile, renderHtml(report));
}
