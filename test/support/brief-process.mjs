// Stands for a relay process: reports that it is listening, then exits. BRIEF_UNTIL selects when: `started`, at once;
// `asked`, after it has sent its metrics once; otherwise when it is stopped.
const until = process.env.BRIEF_UNTIL;
process.send({ type: 'listening' });
process.send({ type: 'ready' });
process.on('message', ({ request }) => {
  const counter = {
    name: 'counted_total',
    help: 'x',
    type: 'counter',
    aggregator: 'sum',
    values: [{ value: 5, labels: {} }],
  };
  process.send({ type: 'metrics', request, metrics: [counter] }, () => {
    if (until === 'asked') process.exit(3);
  });
});
if (until === 'started') setTimeout(() => process.exit(3), 0);
