/** A command-line option as `--help` shows it. */
export interface OptionRow {
  readonly value: string;
  readonly default: string;
  readonly help: string;
  /** The option may be repeated, or hold several values separated by commas. */
  readonly multiple?: boolean;
}

/** Every option that takes a value, in the order of `--help`. */
export const OPTION_TABLE = {
  relay: {
    value: 'URL',
    default: '',
    multiple: true,
    help: 'URL of a relay, such as http://relay:8080; clients are spread over all of them. Without this option, a cluster is started on this machine',
  },
  webhook: { value: 'URL', default: '', help: 'URL to publish to, such as http://webhook:8090/webhook' },
  metrics: {
    value: 'URL',
    default: '',
    multiple: true,
    help: 'metrics URL of a relay, such as http://relay:9101/metrics, to report its CPU and memory',
  },
  clients: { value: 'N', default: '1000 per core', help: 'number of clients' },
  ramp: { value: 'TIME', default: '10s', help: 'time over which the clients connect' },
  topics: { value: 'N', default: '1', help: 'number of topics' },
  'topics-per-client': {
    value: 'N',
    default: '1',
    help: 'topics that each client subscribes to (long-poll clients: one)',
  },
  'topic-spread': {
    value: 'even|zipf',
    default: 'even',
    help: 'distribution of the clients over the topics; with zipf, some topics have many more clients than others',
  },
  'topic-prefix': { value: 'TEXT', default: 'load/<random>/', help: 'prefix of the topic names' },
  rate: {
    value: 'N',
    default: '1',
    help: 'updates per second in total, such as 0.5, published to the topics in turn; 0 publishes nothing',
  },
  payload: { value: 'SIZE', default: '0B', help: 'padding in the data of each update, such as 1KiB, at most 60KiB' },
  duration: { value: 'TIME', default: '10s', help: 'time for which updates are published' },
  transports: {
    value: 'LIST',
    default: 'ws=100',
    help: 'share of the clients per transport, such as ws=70,update_check=10,sse=10,longpoll=10',
  },
  slow: { value: 'SHARE', default: '0%', help: 'share of the clients that read slowly, such as 1%' },
  'slow-pause': {
    value: 'TIME',
    default: '5s',
    help: 'how long a slow client stops reading; between pauses it reads for one second',
  },
  churn: { value: 'N', default: '0', help: 'clients per second that disconnect and reconnect, as during a deployment' },
  processes: { value: 'N|auto', default: 'auto', help: 'number of processes that hold the clients' },
  relays: { value: 'N|auto', default: 'auto', help: 'number of relays of a cluster started on this machine' },
  threshold: {
    value: 'NAME=LIMIT',
    default: 'failed=0%, publish-failed=0%, behind-30s=0%',
    multiple: true,
    help: 'upper limit of a result; the exit code is 1 if it is exceeded. See below',
  },
  'keep-free': {
    value: 'SIZE',
    default: '1GiB, or a tenth of the memory if that is less',
    help: 'memory to leave free on this machine or in this container; the ramp stops when it is reached',
  },
  'max-time': { value: 'TIME', default: '30m', help: 'time after which the test stops and reports its results so far' },
  html: { value: 'FILE', default: '', help: 'write the report as an HTML page with plots' },
  json: { value: 'FILE', default: '', help: 'write the report as JSON; - replaces the text report on standard output' },
  label: {
    value: 'TEXT',
    default: '',
    help: 'text shown in the report, such as the machine or the purpose of the test',
  },
  preset: {
    value: 'NAME',
    default: '',
    help: 'named set of options; options given explicitly override it. See below',
  },
} as const satisfies Record<string, OptionRow>;

export type OptionName = keyof typeof OPTION_TABLE;

/** Every option without a value, in the order of `--help`. */
export const FLAG_TABLE = {
  fit: 'if not all clients fit, run as many as do instead of refusing to start',
  plan: 'show the processes, ports and limits, then exit',
  help: 'show this help',
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
    ramp: '2m',
    rate: '0.1',
    duration: '10s',
    threshold: 'failed=0%,lost=0%,publish-failed=0%,behind-120s=0%',
    fit: 'true',
  },
};

/**
 * Returns the text of `--help`.
 * @param commandLine returns the command line that starts a load test with these options
 */
export function helpText(commandLine: (args: readonly string[]) => string): string {
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
  return `Load test for Heliograph: connects many clients, publishes through the webhook and reports what they received.

  ${commandLine(['--clients', '10000']).padEnd(56)} starts a cluster on this machine
  ${commandLine(['--relay', 'http://relay:8080', '--webhook', 'http://webhook:8090/webhook'])}

Options (defaults in parentheses; times as 500ms, 4s or 2m, sizes as 512B or 64KiB):
${rows.join('\n')}
${flags.join('\n')}

Credentials are read from the environment: WEBHOOK_SECRET or WEBHOOK_TOKEN to publish, RELAY_TOKEN (a JWT) to subscribe
to private topics.

Thresholds, each an upper limit:
  failed, lost, behind-1s, -5s, -30s, -120s           share of the clients, such as 0.1%
  publish-failed, conflated                           share of the updates; share of the deliveries
  p50, p90, p99, p99.9, max                           latency from the due time of an update, such as 250ms

Presets:
${presets.join('\n')}

Exit code: 0 if every threshold is met, 1 if a threshold is exceeded or the test could not run, 2 if an option is invalid
or the limits of this machine are too low, 130 after Ctrl-C, which reports the results so far.
`;
}
