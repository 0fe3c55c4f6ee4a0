// Script of the page for developers: examples for other addresses, the form that publishes, and the live stream.
import { Heliograph, type TransportName } from '../../../client/heliograph-client.ts';
import { fillSnippet } from '../snippets.ts';

/** Most lines of the stream. */
const MAX_EVENTS = 100;

const field = (id: string) => document.getElementById(id) as HTMLInputElement;
const textOf = (id: string) => field(id).value.trim();

/** Fills the examples and links with the addresses and the topic of the fields. */
function fillExamples(): void {
  const address = (id: string) => textOf(id).replace(/\/+$/, '');
  const values = { relay: address('relay'), webhook: address('webhook'), topic: textOf('topic') };
  for (const element of document.querySelectorAll<HTMLElement>('[data-template]')) {
    const text = fillSnippet(element.dataset.template ?? '', values);
    element.textContent = text;
    if (element instanceof HTMLAnchorElement && /^(https?:\/)?\//.test(text)) element.href = text;
  }
}

/** Copies an example; if the browser does not allow it, selects it instead. */
async function copy(button: HTMLButtonElement): Promise<void> {
  const code = document.getElementById(button.dataset.copies ?? '');
  if (!code) return;
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    button.textContent = 'Copied';
  } catch {
    getSelection()?.selectAllChildren(code);
    button.textContent = 'Selected: press Ctrl+C';
  }
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 2000);
}

/** Publishes in place, and shows the answer of the webhook. */
async function publish(form: HTMLFormElement): Promise<void> {
  const answer = document.getElementById('answer') as HTMLElement;
  const body = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)]));
  answer.hidden = false;
  try {
    const response = await fetch(form.action, { method: 'POST', body, headers: { accept: 'application/json' } });
    answer.textContent = `${response.status} ${JSON.stringify(await response.json(), undefined, 2)}`;
    answer.classList.toggle('failed', !response.ok);
  } catch (error) {
    answer.textContent = String(error);
    answer.classList.add('failed');
  }
}

/** The live stream of a topic. */
class Stream {
  #client: Heliograph | undefined;

  toggle(): void {
    if (this.#client) this.#stop();
    else this.#start();
    field('connect').textContent = this.#client ? 'Disconnect' : 'Connect';
  }

  #start(): void {
    const [relay, topic, token, transport] = ['relay', 'topic', 'subscriber-token', 'transport'].map(textOf);
    try {
      this.#client = new Heliograph(relay ?? '', {
        topics: [topic ?? ''],
        token: token || undefined,
        transports: transport ? [transport as TransportName] : undefined,
      });
    } catch (error) {
      this.#status(String(error));
      return;
    }
    this.#client.on('status', (status) => this.#status(status));
    this.#client.on('subscribed', ({ version }) => this.#add(`subscribed: current version ${version}`));
    this.#client.on('update', ({ version, data }) => {
      this.#add(`update: version ${version}${data === undefined ? '' : ` ${JSON.stringify(data)}`}`);
    });
    this.#client.on('error', ({ code }) => this.#add(`error: ${code}`));
    this.#status(this.#client.status);
  }

  #stop(): void {
    this.#client?.close();
    this.#client = undefined;
    this.#status('disconnected');
  }

  #status(text: string): void {
    const status = document.getElementById('stream-status');
    if (status) status.textContent = text;
  }

  #add(text: string): void {
    const events = document.getElementById('events') as HTMLElement;
    const [line, time] = [document.createElement('li'), document.createElement('time')];
    time.textContent = new Date().toLocaleTimeString([], { hour12: false });
    line.append(time, ` ${text}`);
    events.prepend(line);
    while (events.children.length > MAX_EVENTS) events.lastElementChild?.remove();
  }
}

const stream = new Stream();
for (const id of ['relay', 'webhook', 'topic']) field(id).addEventListener('input', fillExamples);
for (const hidden of document.querySelectorAll<HTMLElement>('.copy, #stream-form')) hidden.hidden = false;
document.addEventListener('click', ({ target }) => {
  if (target instanceof HTMLButtonElement && target.classList.contains('copy')) void copy(target);
});
document.addEventListener('submit', (event) => {
  const form = event.target as HTMLFormElement;
  if (form.id !== 'publish-form' && form.id !== 'stream-form') return;
  event.preventDefault();
  if (form.id === 'publish-form') void publish(form);
  else stream.toggle();
});
