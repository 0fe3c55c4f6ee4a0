/** Converts all times to the viewer's time zone. */
function showLocalTimes(): void {
  const format = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  for (const time of document.querySelectorAll('time')) {
    const date = new Date(time.dateTime);
    time.title = time.dateTime;
    time.textContent = format.format(date);
  }
}

/** Adds keys to a timeline: arrows, Home and End move between rows, Escape closes a row. */
function addKeyboardNavigation(lanes: Element): void {
  lanes.addEventListener('keydown', (event) => {
    const { key, target } = event as KeyboardEvent;
    const rows = [...lanes.querySelectorAll('summary')];
    const at = rows.indexOf(target as HTMLElement);
    if (at < 0) return;
    if (key === 'Escape') return void rows[at]?.parentElement?.removeAttribute('open');
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[key];
    if (next === undefined) return;
    event.preventDefault();
    rows[next]?.focus();
  });
}

showLocalTimes();
for (const lanes of document.querySelectorAll('.lanes')) addKeyboardNavigation(lanes);
