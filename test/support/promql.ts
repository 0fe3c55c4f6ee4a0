const KEYWORDS = new Set(['and', 'or', 'unless', 'bool', 'offset', 'by', 'without', 'on', 'ignoring', 'Inf', 'NaN']);

/** Returns the metrics in a PromQL expression. A histogram's series count as the histogram. */
export function metricsIn(expression: string): readonly string[] {
  const bare = expression
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, '');
  const names = [...bare.matchAll(/[A-Za-z_:][\w:]*(?!\w*\s*\()/g)].map(([name]) => name);
  return [
    ...new Set(names.filter((name) => !KEYWORDS.has(name)).map((name) => name.replace(/_(bucket|sum|count)$/, ''))),
  ];
}

/** An alert of Prometheus. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string };
}

/** A group of rules, as in a rule file of Prometheus. */
export interface RuleGroup {
  readonly rules: readonly (AlertRule | { readonly record: string; readonly expr: string })[];
}

/** Returns the alerts of a rule file, with the expressions of recording rules in place of their names. */
export function alertsIn(groups: readonly RuleGroup[]): readonly AlertRule[] {
  const rules = groups.flatMap((group) => group.rules);
  const recorded = new Map(rules.flatMap((rule) => ('record' in rule ? [[rule.record, rule.expr]] : [])));
  const expand = (expr: string) => expr.replace(/[a-z]\w*:[\w:]+/g, (name) => `(${recorded.get(name) ?? name})`);
  return rules.flatMap((rule) => ('alert' in rule ? [{ ...rule, expr: expand(rule.expr) }] : []));
}

/** The tested fields of a panel of a Grafana dashboard. */
export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly targets?: readonly {
    readonly refId: string;
    readonly expr: string;
    readonly legendFormat: string;
    readonly datasource: unknown;
  }[];
}

/** Returns all expressions of the panels. */
export function expressionsOf(panels: readonly Panel[]): readonly string[] {
  return panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
}
