/** An option as `--help` shows it. */
export interface OptionRow {
  readonly value: string;
  readonly default: string;
  readonly help: string;
  /** Whether it may be given more than once; several values may also stand in one, with commas. */
  readonly multiple?: boolean;
}

/** Every option with a value, in the order of `--help`. */
export const OPTION_TABLE = {
  relay: {
    value: 'URL',
    default: '',
    multiple: true,
    help: 'a relay, such as http://relay:8080; several share the clients. Without any, a cluster is started on this machine',
  },
  webhook: { value: 'URL', default: '', help: 'where to publish, such as http://webhook:8090/webhook' },
  metrics: {
    value: 'URL',
    default: '',
    multiple: true,
    help: '/metrics of each relay, such as http://relay:9101/metrics, for its CPU and memory',
  },
  clients: { value: 'N', default: '1000 for each core', help: 'clients in all' },
  ramp: { value: 'TIME', default: '10s', help: 'over how long they connect' },
  topics: { value: 'N', default: '1', help: 'topics in all' },
  'topics-per-client': { value: 'N', default: '1', help: 'topics that one client listens to (long-polls: one)' },
  'topic-spread': {
    value: 'even|zipf',
    default: 'even',
    help: 'whether some topics have many more clients than others',
  },
  'topic-prefix': { value: 'TEXT', default: 'load/<random>/', help: 'what the names of the topics begin with' },
  rate: {
    value: 'N',
    default: '1',
    help: 'updates a second in all, such as 0.5; the topics take turns. 0 for clients that are only there',
  },
  payload: { value: 'SIZE', default: '0B', help: 'padding in the data of an update, such as 1KiB, at most 60KiB' },
  duration: { value: 'TIME', default: '10s', help: 'for how long updates are published' },
  transports: {
    value: 'LIST',
    default: 'ws=100',
    help: 'shares of the clients, such as ws=70,update_check=10,sse=10,longpoll=10',
  },
  slow: { value: 'SHARE', default: '0%', help: 'clients that read only now and then, such as 1%' },
  'slow-pause': { value: 'TIME', default: '5s', help: 'for how long those do not read; then for a second they do' },
  churn: { value: 'N', default: '0', help: 'clients a second that go and come back, as in a deploy' },
  processes: { value: 'N|auto', default: 'auto', help: 'processes that the clients are spread over' },
  relays: { value: 'N|auto', default: 'auto', help: 'relays of the cluster that is started here' },
  threshold: {
    value: 'NAME=LIMIT',
    default: 'failed=0%, publish-failed=0%, behind-30s=0%',
    multiple: true,
    help: 'the most that may be; beyond it the exit code is 1. See below',
  },
  'keep-free': {
    value: 'SIZE',
    default: '1GiB, or a tenth of less than 10GiB',
    help: 'memory of this machine, or of its container, to leave alone: the ramp ends there',
  },
  'max-time': { value: 'TIME', default: '30m', help: 'ends after that with the report so far' },
  html: { value: 'FILE', default: '', help: 'write the report as a page with plots' },
  json: { value: 'FILE', default: '', help: 'write the report as JSON; - is standard output, instead of the text' },
  label: { value: 'TEXT', default: '', help: 'what the report says of the machine and the occasion' },
  preset: {
    value: 'NAME',
    default: '',
    help: 'options for an occasion; what is given beside it goes first. See below',
  },
} as const satisfies Record<string, OptionRow>;

export type OptionName = keyof typeof OPTION_TABLE;

/** Every option without a value. */
export const FLAG_TABLE = {
  fit: 'run as many clients as fit where not all do, instead of refusing',
  plan: 'show the processes, ports and limits, and end',
  help: 'show this',
} as const satisfies Record<string, string>;

/** Named sets of options. */
export const PRESETS: Readonly<Record<string, Partial<Record<OptionName | keyof typeof FLAG_TABLE, string>>>> = {
  smoke: {
    clients: '2000',
    ramp: '3s',
    rate: '2',
    duration: '5s',
    threshold: 'failed=0%,lost=0%,publish-failed=0%,behind-1s=0%',
  },
  deploy: {
    clients: '2000',
    churn: '100',
    rate: '5',
    duration: '30s',
    transports: 'ws=70,update_check=10,sse=10,longpoll=10',
  },
  million: {
    clients: '1000000',
    ramp: '5m',
    rate: '0.1',
    duration: '10s',
    threshold: 'failed=0%,lost=0%,publish-failed=0%,behind-120s=0%',
    fit: 'true',
  },
};

/** What `--help` says. */
export function helpText(): string {
  const rows = Object.entries<OptionRow>(OPTION_TABLE).map(([name, row]) => {
    const head = `  --${name} ${row.value}`;
    const end = row.default === '' ? '' : ` (${row.default})`;
    return `${head.padEnd(29)} ${row.help}${row.multiple ? '; may be repeated' : ''}${end}`;
  });
  const flags = Object.entries(FLAG_TABLE).map(([name, help]) => `${`  --${name}`.padEnd(29)} ${help}`);
  const presets = Object.entries(PRESETS).map(([name, options]) => {
    const text = Object.entries(options).map(([option, value]) => `--${option}${value === 'true' ? '' : ` ${value}`}`);
    return `  ${name.padEnd(10)} ${text.join(' ')}`;
  });
  return `Many clients for a Heliograph: connects them, publishes through the webhook, and reports.

  npm run loadtest                                                        on this machine, with a cluster of its own
  npm run loadtest -- --relay http://relay:8080 --webhook http://webhook:8090/webhook --clients 10000

Options (with their defaults; times are written 500ms, 4s, 2m, sizes 512B, 64KiB):
${rows.join('\n')}
${flags.join('\n')}

Credentials come from the environment: WEBHOOK_SECRET or WEBHOOK_TOKEN to publish, RELAY_TOKEN (a JWT) to listen to
private topics.

Thresholds, as the most that may be:
  failed, lost, behind-1s, -5s, -30s, -120s           shares of the clients, such as 0.1%
  publish-failed, conflated                           shares of the updates, and of the deliveries
  p50, p90, p99, p99.9, max                           latency from when an update was due, such as 250ms

Presets:
${presets.join('\n')}

Exit code: 0 where all thresholds are kept, 1 where one is not or the test could not run, 2 where an option is wrong or
the limits of this machine are too low, 130 after Ctrl-C, which shows the report so far.
`;
}
