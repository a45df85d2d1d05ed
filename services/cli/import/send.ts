/**
 * Sends what a file holds in batches, several under way and no more, so that a file of any size
 * needs the memory of a few batches. What others refer to goes before them: kinds of things and
 * groups one by one, and a batch with parts of providers only when everything before it is there.
 */
import { toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { ProviderSchema } from '../../../gen/runmachine/inventory/v1/provider_pb.ts';
import {
  ProviderService,
  type ProviderUpsertResult,
} from '../../../gen/runmachine/inventory/v1/provider_service_pb.ts';
import { callOptions } from '../call-options.ts';
import type { Context } from '../command.ts';
import { busyForMs } from '../patient-transport.ts';
import { createAssumption } from './assume.ts';
import type { Contents, Entry } from './entry.ts';
import {
  isForward,
  type NamedEntry,
  type Outcome,
  upsertDeferred,
  upsertNamed,
} from './named-entry.ts';

export type Done = { readonly entry: Entry } & (
  | { readonly kind: 'provider'; readonly result: ProviderUpsertResult }
  | { readonly kind: 'named'; readonly outcome: Outcome }
  | { readonly kind: 'wrong'; readonly problem: string }
);

export type Sending = {
  readonly contents: Contents;
  readonly partition: string;
  readonly dryRun: boolean;
  /** Entries that begin before this line are left out. */
  readonly fromLine: number;
  readonly onDone: (done: Done) => void;
};

/** What the contract takes in one call. */
const BATCH_MAX = 500;
const BATCH_BYTES_MAX = 1024 * 1024;
const UNDER_WAY_MAX = 4;
const CALL_MS = 60_000;

/** Where an import stopped before its end. */
export class Stopped extends Error {
  /** Everything that begins before this line is done. */
  readonly line: number;

  constructor(line: number, cause: unknown) {
    super('The import stopped', { cause });
    this.line = line;
  }
}

type ProviderEntry = Extract<Entry, { kind: 'provider' }>;

type Batch = { readonly entries: ProviderEntry[]; bytes: number; hasParts: boolean };

/** Errors: Stopped. */
export const sendEntries = async (context: Context, sending: Sending): Promise<void> => {
  const sender = createSender(context, sending);
  let batch = newBatch();
  let line = sending.fromLine;
  const flush = async () => {
    const full = batch;
    batch = newBatch();
    if (full.entries.length > 0) await sender.send(full);
  };
  try {
    for await (const entry of sending.contents.entries) {
      context.signal.throwIfAborted();
      if (entry.line < sending.fromLine) continue;
      line = entry.line;
      if (entry.kind === 'wrong') {
        sending.onDone({ entry, kind: 'wrong', problem: entry.problem });
      } else if (entry.kind === 'provider') {
        const bytes = toBinary(ProviderSchema, entry.provider).length;
        if (isFull(batch, bytes)) await flush();
        add(batch, entry, bytes);
      } else {
        await flush();
        await sender.sendNamed(entry);
      }
    }
    await flush();
    await sender.end();
  } catch (error) {
    const failed = await sender.abandon();
    throw new Stopped(failed ?? batch.entries[0]?.line ?? line, error);
  }
};

const newBatch = (): Batch => ({ entries: [], bytes: 0, hasParts: false });

const isFull = ({ entries, bytes }: Batch, more: number): boolean =>
  entries.length === BATCH_MAX || (entries.length > 0 && bytes + more > BATCH_BYTES_MAX);

const add = (batch: Batch, entry: ProviderEntry, bytes: number): void => {
  batch.entries.push(entry);
  batch.bytes += bytes;
  batch.hasParts ||= (entry.provider.spec?.parentProvider ?? '') !== '';
};

const createSender = (context: Context, sending: Sending) => {
  const { dryRun, onDone, contents, partition } = sending;
  const client = createClient(ProviderService, context.transport());
  const assumption = dryRun ? createAssumption() : undefined;
  const deferred: NamedEntry[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: { readonly error: unknown; readonly line: number } | undefined;
  const demandWell = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  const settle = async () => {
    await Promise.all(underWay);
    demandWell();
  };
  const call = async ({ entries }: Batch): Promise<void> => {
    const paths = contents.paths();
    const request = {
      parent: `partitions/${partition}`,
      items: entries.map(({ id, provider }) => ({ providerId: id, provider })),
      validateOnly: dryRun,
      requestId: context.random.requestId(),
      ...(paths !== undefined && { updateMask: { paths: [...paths] } }),
      ...(assumption && { assumption: assumption.of(entries) }),
    };
    const { results } = await insistently(context, () =>
      client.batchUpsertProviders(request, callOptions(context, CALL_MS)),
    );
    for (const [index, entry] of entries.entries()) {
      const result = results[index];
      if (result === undefined) throw new Error('the answer has too few results');
      onDone({ entry, kind: 'provider', result });
    }
  };
  return {
    send: async (batch: Batch): Promise<void> => {
      if (batch.hasParts) await settle();
      while (underWay.size >= UNDER_WAY_MAX) await Promise.race(underWay);
      demandWell();
      const line = batch.entries[0]?.line ?? 0;
      assumption?.add(batch.entries);
      const running: Promise<void> = call(batch)
        .catch((error: unknown) => {
          if (failure === undefined || line < failure.line) failure = { error, line };
        })
        .finally(() => underWay.delete(running));
      underWay.add(running);
      if (batch.hasParts) await settle();
    },
    sendNamed: async (entry: NamedEntry): Promise<void> => {
      await settle();
      assumption?.addNamed(entry);
      const outcome = await insistently(context, () => upsertNamed(context, entry, sending));
      if (isForward(entry) && outcome !== 'unchanged' && !dryRun) deferred.push(entry);
      onDone({ entry, kind: 'named', outcome });
    },
    /** What groups say of things that come behind them in the file is written last. */
    end: async (): Promise<void> => {
      await settle();
      for (const entry of deferred) await upsertDeferred(context, entry, sending);
    },
    /** Lets what is under way end; the line of the first that failed, if any did. */
    abandon: async (): Promise<number | undefined> => {
      await Promise.all(underWay);
      return failure?.line;
    },
  };
};

const TRIES = 6;
const PAUSE_MS = 500;
const WORTH_REPEATING: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Aborted,
]);

/** The same request again while its answer may come: it is done once however often it is sent. */
const insistently = async <T>(context: Context, call: () => Promise<T>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      const hintMs = busyForMs(error);
      const isWorth =
        hintMs !== undefined || (error instanceof ConnectError && WORTH_REPEATING.has(error.code));
      if (!isWorth || attempt === TRIES || context.signal.aborted) throw error;
      const pauseMs = Math.max(PAUSE_MS * 2 ** (attempt - 1), hintMs ?? 0);
      await context.clock.sleep(pauseMs, context.signal);
    }
  }
};
