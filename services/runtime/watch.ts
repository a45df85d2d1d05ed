/**
 * Turns a store's present set and its change feed into the responses of a Watch RPC, for any noun.
 * A handler is
 *
 *     watchMachines: (request, context) => watchResponses({
 *       resumeToken: request.resumeToken,
 *       signal: context.signal,
 *       head: () => store.changes.head(),
 *       present: () => store.machinePages(filterOf(request), () => accessOf(context)),
 *       follow: (token) =>
 *         store.changes.follow({ token, kinds: ['machine'], signal: context.signal }),
 *       load: (uids) => store.machinesByUid(uids, filterOf(request), accessOf(context)),
 *       concerns: (change) =>
 *         accessOf(context).everything || projectUids.has(change.projectUid ?? ''),
 *       identify: ({ uid, name }) => ({ uid, name }),
 *       events: machineEvents,
 *     }),
 *
 * Read `accessOf(context)` inside these functions, not before: it changes when a grant is taken
 * away. Nothing is buffered here: the feed bounds what a slow reader leaves behind and ends it with
 * SLOW_WATCHER.
 */
export type WatchChange = {
  readonly uid: string;
  readonly projectUid?: string;
  readonly deleted: boolean;
};

export type WatchBatch<Change> = {
  /** Empty = a bookmark, which the feed gives at least every 30 s. */
  readonly changes: readonly Change[];
  readonly token: string;
};

export type WatchOptions<Row, Event, Change extends WatchChange = WatchChange> = {
  /** As the client sent it; empty = present set first. */
  readonly resumeToken: string;
  readonly signal: AbortSignal;
  /** Where the feed stands; asked before `present`, so that nothing between is missed. */
  readonly head: () => Promise<string>;
  /** The present set in pages, within filter and access. */
  readonly present: () => AsyncIterable<readonly Row[]>;
  readonly follow: (token: string) => AsyncIterable<WatchBatch<Change>>;
  /** Newest state of those of these objects that exist and are within filter and access now. */
  readonly load: (uids: readonly string[]) => Promise<readonly Row[]>;
  /** False for a change that the caller may not hear of at all; absent = it may hear of all. */
  readonly concerns?: (change: Change) => boolean;
  readonly identify: (row: Row) => { readonly uid: string; readonly name: string };
  readonly events: WatchEvents<Row, Event>;
};

/** How the noun's event message is made. */
export type WatchEvents<Row, Event> = {
  readonly created: (row: Row) => Event;
  readonly updated: (row: Row) => Event;
  /** `name` is empty when the watch was resumed and never saw the object. */
  readonly deleted: (gone: {
    readonly uid: string;
    readonly name: string;
    readonly leftView: boolean;
  }) => Event;
  readonly synced: () => Event;
  readonly bookmark: () => Event;
};

export type WatchResponse<Event> = {
  readonly events: Event[];
  /** Empty until `synced`: what was interrupted before must begin again. */
  readonly resumeToken: string;
};

/** Runs until the signal aborts. Errors are the store's: RESUME_TOKEN_EXPIRED, SLOW_WATCHER. */
export async function* watchResponses<Row, Event, Change extends WatchChange>(
  options: WatchOptions<Row, Event, Change>,
): AsyncGenerator<WatchResponse<Event>> {
  const { events, signal, identify } = options;
  const shown = new Map<string, string>();
  const isResumed = options.resumeToken !== '';
  const start = isResumed ? options.resumeToken : await options.head();
  if (!isResumed) {
    for await (const page of options.present()) {
      if (page.length === 0) continue;
      for (const row of page) shown.set(identify(row).uid, identify(row).name);
      yield { events: page.map(events.created), resumeToken: '' };
    }
    yield { events: [events.synced()], resumeToken: start };
  }
  for await (const { changes, token } of options.follow(start)) {
    if (signal.aborted) return;
    const told = await tell(options, shown, { changes, isResumed });
    const isBookmark = changes.length === 0;
    yield { events: isBookmark ? [events.bookmark()] : told, resumeToken: token };
  }
}

type Told<Change> = { readonly changes: readonly Change[]; readonly isResumed: boolean };

const tell = async <Row, Event, Change extends WatchChange>(
  { load, identify, events, concerns }: WatchOptions<Row, Event, Change>,
  shown: Map<string, string>,
  { changes, isResumed }: Told<Change>,
): Promise<Event[]> => {
  // Several changes of one object need one look; whatever they were, the newest state counts.
  const latest = new Map<string, Change>();
  for (const change of changes) {
    if (shown.has(change.uid) || concerns?.(change) !== false) latest.set(change.uid, change);
  }
  if (latest.size === 0) return [];
  const rows = await load([...latest.keys()]);
  const found = new Map(rows.map((row) => [identify(row).uid, row]));
  const told: Event[] = [];
  for (const [uid, change] of latest) {
    const row = found.get(uid);
    const name = shown.get(uid);
    if (row !== undefined) {
      // A resumed watch cannot know whether the client has the object: "updated" is right either
      // way.
      told.push(name === undefined && !isResumed ? events.created(row) : events.updated(row));
      shown.set(uid, identify(row).name);
    } else if (name !== undefined || isResumed) {
      told.push(events.deleted({ uid, name: name ?? '', leftView: !change.deleted }));
      shown.delete(uid);
    }
  }
  return told;
};
