import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createFullRegistry } from './support/full-registry.ts';
import { alertsIn, expressionsOf, metricsIn, type Panel } from './support/promql.ts';

const read = (path: string) => readFileSync(new URL(`../deploy/${path}`, import.meta.url), 'utf8');
const dashboard = JSON.parse(read('grafana/heliograph.json'));
const rows: Panel[] = dashboard.panels.filter(({ type }: Panel) => type === 'row');
const panels: Panel[] = dashboard.panels.filter(({ type }: Panel) => type !== 'row');
const own = createFullRegistry()
  .getMetricsAsArray()
  .map(({ name }) => name);

describe('the dashboard', () => {
  it('can be imported anywhere: its data source is a variable', () => {
    const variables: { name: string; type: string }[] = dashboard.templating.list;
    expect(variables.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['instance', 'query'],
    ]);
    const source = { type: 'prometheus', uid: `$${'{datasource}'}` };
    for (const { title, datasource, targets = [] } of panels) {
      expect(datasource, title).toEqual(source);
      for (const target of targets) expect(target.datasource, title).toEqual(source);
    }
    expect(dashboard).not.toHaveProperty('id');
    expect(dashboard).toMatchObject({ uid: 'heliograph', title: 'Heliograph', schemaVersion: 39 });
  });

  it('describes every panel, and sets its unit', () => {
    expect(panels.length).toBeGreaterThan(30);
    for (const { title, description, fieldConfig, targets } of panels) {
      expect(title).toMatch(/^.{3,40}$/);
      expect(description, title).toMatch(/^.{20,}\.$/s);
      expect(fieldConfig?.defaults.unit, title).toMatch(/^(none|short|s|bytes|percentunit|cps|reqps)$/);
      expect(targets?.length, title).toBeGreaterThan(0);
      expect(new Set(targets?.map(({ refId }) => refId)).size, title).toBe(targets?.length);
    }
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    expect(new Set(dashboard.panels.map(({ id }: Panel) => id)).size).toBe(dashboard.panels.length);
  });

  it('has a legend for every panel with several series', () => {
    for (const { title, targets = [] } of panels.filter(({ type }) => type === 'timeseries')) {
      for (const { legendFormat } of targets) expect(legendFormat, title).not.toBe('');
    }
  });

  it('fills its rows without gaps or overlaps, the overview on one screen', () => {
    expect(rows.map(({ title }) => title)).toEqual([
      'Overview',
      'Relays',
      'Redis',
      'Webhooks',
      'Chat',
      'Outbox',
      'Canary',
      'Processes',
    ]);
    const widths = new Map<number, number>();
    let bottom = 0;
    for (const { gridPos, title } of dashboard.panels as Panel[]) {
      if (!widths.has(gridPos.y)) expect(gridPos.y, title).toBe(bottom);
      expect(gridPos.x, title).toBe(widths.get(gridPos.y) ?? 0);
      widths.set(gridPos.y, gridPos.x + gridPos.w);
      bottom = gridPos.y + gridPos.h;
    }
    expect(new Set(widths.values())).toEqual(new Set([24]));
    expect(panels[0]?.title).toBe('Subscribers current');
    expect(rows[1]?.gridPos.y).toBeLessThan(16); // a row has 30 pixels and 8 between: 600 in all
  });

  it('queries metrics that exist, of the selected processes', () => {
    for (const { title, targets = [] } of panels) {
      for (const { expr } of targets) {
        if (expr.startsWith('ALERTS')) continue;
        for (const metric of metricsIn(expr)) expect(own, `${title}: ${metric}`).toContain(metric);
        const selectors = [...expr.matchAll(/[a-z_]+\{([^}]*)\}/g)].map(([, selector]) => selector);
        expect(selectors.length, title).toBeGreaterThan(0);
        for (const selector of selectors) expect(selector, title).toContain('instance=~"$instance"');
      }
    }
  });

  it('shows every metric of Heliograph', () => {
    const shown = new Set(expressionsOf(dashboard.panels).flatMap(metricsIn));
    expect(own.filter((name) => !/^(process|nodejs)_/.test(name)).filter((name) => !shown.has(name))).toEqual([]);
  });

  it('is named in the help text of every metric, as are the alerts that use it', async () => {
    const rules = alertsIn(parse(read('prometheus/alerts.yaml')).groups);
    for (const { name, help } of await createFullRegistry().getMetricsAsJSON()) {
      if (/^(process|nodejs)_/.test(name)) continue;
      const [, panel] = /\. Panel "([^"]+)"/.exec(help) ?? [];
      const expressions = panels.find(({ title }) => title === panel)?.targets?.map(({ expr }) => expr) ?? [];
      expect(expressions.flatMap(metricsIn), `${name}: ${help}`).toContain(name);
      const users = rules.filter(({ expr }) => metricsIn(expr).includes(name)).map(({ alert }) => alert);
      expect(help.match(/Heliograph\w+/g)?.sort() ?? [], name).toEqual(users.sort());
    }
  });

  it('names alerts that exist', () => {
    const alerts = read('prometheus/alerts.yaml');
    const named = panels.flatMap(({ description = '' }) => description.match(/Heliograph[A-Z]\w+/g) ?? []);
    expect(named.length).toBeGreaterThan(8);
    for (const name of named) expect(alerts).toContain(`alert: ${name}\n`);
  });
});
