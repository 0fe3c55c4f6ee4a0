import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { findProgram } from './support/find-program.ts';
import { createFullRegistry } from './support/full-registry.ts';
import { pageWith } from './support/pages.ts';
import { type AlertRule, alertsIn, metricsIn, type RuleGroup } from './support/promql.ts';

interface RuleTest {
  readonly alert_rule_test: readonly { readonly alertname: string; readonly exp_alerts?: readonly unknown[] }[];
}

const FOLDER = fileURLToPath(new URL('../deploy/prometheus/', import.meta.url));
const read = (name: string) => readFileSync(`${FOLDER}${name}`, 'utf8');
const { groups }: { groups: readonly RuleGroup[] } = parse(read('alerts.yaml'));
const rules = alertsIn(groups);
const promtool = (...args: string[]) =>
  execFileSync(findProgram('promtool', 'prometheus'), args, { encoding: 'utf8', stdio: 'pipe' });

describe('the alerts for a canary', () => {
  const [, text = ''] = /```yaml\n(groups:.*?)```/s.exec(pageWith('## Canary\n').text) ?? [];
  const summaries: [string, string][] = parse(text).groups[0].rules.map((rule: AlertRule) => [
    ...[rule.alert, rule.annotations.summary],
  ]);

  it.each([
    ['HeliographCanaryFails', 'the last success is old', 'canary_last_success_timestamp_seconds', '0x60', '5m'],
    ['HeliographCanaryFails', 'there is no canary', 'up', '0x60', '5m'],
    ['HeliographCanarySlow', 'updates are slow', 'canary_age_seconds_bucket{le="1"}', '0x60', '30m'],
    ['', 'updates arrive', 'canary_age_seconds_bucket{le="1"}', '0+6x60', '30m'],
  ])('%s fires if %s', (alert, _, series, values, evalTime) => {
    const folder = mkdtempSync(join(tmpdir(), 'heliograph-alerts-'));
    try {
      writeFileSync(join(folder, 'rules.yaml'), text);
      const input = [{ series, values }];
      if (series.startsWith('canary_age')) {
        for (const le of ['2.5', '+Inf']) {
          input.push({ series: `canary_age_seconds_bucket{le="${le}"}`, values: '0+6x60' });
        }
        input.push({ series: 'canary_last_success_timestamp_seconds', values: '0+60x60' });
      }
      const fires = (name: string) => {
        const severity = name === 'HeliographCanaryFails' ? 'page' : 'ticket';
        const summary = summaries.find(([own]) => own === name)?.[1];
        return name === alert ? [{ exp_labels: { severity }, exp_annotations: { summary } }] : [];
      };
      const tests = summaries.map(([alertname]) => ({
        ...{ eval_time: evalTime, alertname, exp_alerts: fires(alertname) },
      }));
      const file = {
        rule_files: ['rules.yaml'],
        tests: [{ interval: '1m', input_series: input, alert_rule_test: tests }],
      };
      writeFileSync(join(folder, 'test.yaml'), JSON.stringify(file));
      expect(promtool('check', 'rules', join(folder, 'rules.yaml'))).toContain('SUCCESS: 2 rules found');
      expect(promtool('test', 'rules', join(folder, 'test.yaml'))).toContain('SUCCESS');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the alerts', () => {
  it('are valid rules of Prometheus, in a valid configuration', () => {
    expect(promtool('check', 'rules', `${FOLDER}alerts.yaml`)).toContain(
      `SUCCESS: ${groups.flatMap((group) => group.rules).length} rules found`,
    );
    expect(promtool('check', 'config', `${FOLDER}prometheus.yml`)).toContain('1 rule files found');
  });

  it('fire if their condition holds, and only then', () => {
    expect(promtool('test', 'rules', `${FOLDER}alerts.test.yaml`)).toContain('SUCCESS');
    const tests = parse(read('alerts.test.yaml')).tests.flatMap((test: RuleTest) => test.alert_rule_test);
    const shown = (fires: boolean) =>
      new Set(
        tests
          .filter(({ exp_alerts = [] }: RuleTest['alert_rule_test'][0]) => exp_alerts.length > 0 === fires)
          .map(({ alertname }: { alertname: string }) => alertname),
      );
    const names = new Set(rules.map(({ alert }) => alert));
    expect(shown(true)).toEqual(names);
    expect(shown(false)).toEqual(names);
  });

  it('use metrics that exist', () => {
    const own = createFullRegistry()
      .getMetricsAsArray()
      .map(({ name }) => name);
    for (const { alert, expr } of rules) {
      const metrics = metricsIn(expr);
      expect(metrics.length, alert).toBeGreaterThan(0);
      for (const metric of metrics) expect([...own, 'up'], `${alert}: ${metric}`).toContain(metric);
    }
  });

  it('have a severity, a summary and a runbook entry', () => {
    const runbook = readFileSync(new URL('../deploy/README.md', import.meta.url), 'utf8');
    for (const { alert, labels, annotations } of rules) {
      expect(labels, alert).toEqual({ severity: expect.stringMatching(/^(page|ticket)$/) });
      expect(annotations.summary, alert).toMatch(/^.{20,}[.?]$/);
      const [, severity, text = ''] = new RegExp(`^\\| \`${alert}\` \\| (\\w+) \\| (.*) \\|$`, 'm').exec(runbook) ?? [];
      expect(severity, `${alert} in the runbook`).toBe(labels.severity);
      expect(text.length, alert).toBeGreaterThan(40);
    }
    expect([...runbook.matchAll(/^\| `Heliograph\w+` \|/gm)]).toHaveLength(rules.length);
  });

  it('give the reason for every number', () => {
    for (const rule of read('alerts.yaml')
      .split(/^(?= *- alert:)/m)
      .slice(1)) {
      const [alert = ''] = rule.split('\n');
      const isNumber = /[<>] (?!0$|1$)\d/m.test(rule);
      expect(rule, alert).toMatch(isNumber ? /^ *# .{10,}\n *expr:/m : /# .{10,}/);
      expect(rule, alert).not.toMatch(/^ *for: \S+$/m);
    }
  });

  it('are the same for the Prometheus operator', async () => {
    const [, groups = ''] = read('alerts.yaml').split(/^(?=groups:)/m);
    const head = [
      '# Made of deploy/prometheus/alerts.yaml by `npx vitest run test/alerts.test.ts -u`.',
      'apiVersion: monitoring.coreos.com/v1',
      'kind: PrometheusRule',
      'metadata:',
      '  name: heliograph',
      'spec:',
    ];
    const text = `${head.join('\n')}\n${groups.replace(/^(?=.)/gm, '  ')}`;
    await expect(text).toMatchFileSnapshot('../k8s/components/prometheus-operator/prometheus-rule.yaml');
  });
});
