// In the place of a relay process: says that it listens, and ends at once, or where BRIEF_UNTIL is `asked` after it has
// told its metrics once, or where it is `stopped` then.
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
