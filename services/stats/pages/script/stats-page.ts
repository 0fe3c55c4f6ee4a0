/** Shows moments by the viewer's clock. */
function showLocalTimes(): void {
  const format = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  for (const time of document.querySelectorAll('time')) {
    const date = new Date(time.dateTime);
    time.title = time.dateTime;
    time.textContent = format.format(date);
  }
}

/** Lets arrow keys go from line to line of a timeline, Home and End to its ends, and Escape close what is open. */
function walkByKeys(lanes: Element): void {
  lanes.addEventListener('keydown', (event) => {
    const { key, target } = event as KeyboardEvent;
    const lines = [...lanes.querySelectorAll('summary')];
    const at = lines.indexOf(target as HTMLElement);
    if (at < 0) return;
    if (key === 'Escape') return void lines[at]?.parentElement?.removeAttribute('open');
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 }[key];
    if (next === undefined) return;
    event.preventDefault();
    lines[next]?.focus();
  });
}

showLocalTimes();
for (const lanes of document.querySelectorAll('.lanes')) walkByKeys(lanes);
