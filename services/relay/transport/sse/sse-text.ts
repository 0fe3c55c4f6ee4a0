/**
 * Renders one event of a stream (HTML standard, section 9.2). `data` must be on one line, as JSON is. An `id` is
 * what the browser shows when it comes back.
 */
export function renderEvent(name: string, data: string, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${data}\n\n`;
}

/** Renders after how many milliseconds a browser that lost its stream comes back. */
export function renderRetry(ms: number): string {
  return `retry: ${Math.round(ms)}\n\n`;
}
