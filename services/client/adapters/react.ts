import {
  createContext,
  createElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react';
import type { FetchReason, Heliograph, Status } from '../heliograph-client.ts';

const Context = createContext<Heliograph | undefined>(undefined);

/**
 * Provides a client to the components in it. It connects once the page is shown, never on the server, and closes the
 * connection when it is removed.
 *
 * @param props.connect creates the client; called once
 * @example
 * ```jsx
 * <HeliographProvider connect={() => new Heliograph('https://push.example.org')}>
 * ```
 */
export function HeliographProvider(props: { connect: () => Heliograph; children?: ReactNode }): ReactNode {
  const [heliograph, setHeliograph] = useState<Heliograph>();
  const connect = useRef(props.connect);
  useEffect(() => {
    let connected: Heliograph | undefined;
    // Strict mode mounts twice at once: only the second time connects.
    const timer = setTimeout(() => {
      connected = connect.current();
      setHeliograph(connected);
    });
    return () => {
      clearTimeout(timer);
      connected?.close();
    };
  }, []);
  return createElement(Context.Provider, { value: heliograph }, props.children);
}

/** Returns the client of the provider; undefined on the server and until it is created. */
export function useHeliograph(): Heliograph | undefined {
  return useContext(Context);
}

/**
 * Returns the newest content of a topic; undefined until it is loaded, also again after the topic or `deps` have changed.
 *
 * @param topic undefined for none
 * @param load runs as the fetcher of a watch does. It may be another function in each render
 * @param deps values on which the content depends besides the topic, always the same number
 * @example
 * ```jsx
 * const comments = useTopic('chat', async ({ signal }, heliograph) => (await heliograph.fetch('/comments', { signal })).json());
 * ```
 */
export function useTopic<T>(
  topic: string | undefined,
  load: (reason: FetchReason, heliograph: Heliograph) => T | Promise<T>,
  deps: readonly unknown[] = [],
): T | undefined {
  const heliograph = useHeliograph();
  const latest = useRef(load);
  useEffect(() => {
    latest.current = load;
  });
  const wanted = useMemo(() => ({ topic }), [topic, ...deps]);
  const [shown, setShown] = useState<{ wanted: object; content: T }>();
  useEffect(() => {
    if (!heliograph || wanted.topic === undefined) return;
    return heliograph.watch(wanted.topic, async (reason) => {
      const content = await latest.current(reason, heliograph);
      if (!reason.signal.aborted) setShown({ wanted, content });
    });
  }, [heliograph, wanted]);
  return shown?.wanted === wanted ? shown.content : undefined;
}

/** Returns the status of the client; `connecting` on the server. */
export function useStatus(): Status {
  const heliograph = useHeliograph();
  return useSyncExternalStore(
    (changed) => heliograph?.on('status', changed) ?? (() => {}),
    () => heliograph?.status ?? 'connecting',
    () => 'connecting',
  );
}
