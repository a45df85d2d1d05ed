/**
 * Inspects a server before it opens: an agent reads what the hardware says of itself, inventory
 * writes it down and pins the controller's certificate, and the scheduler is told that it is open.
 * What another provider has already (a serial number, a MAC) keeps it out.
 */
import type { Clock } from '../../runtime/clock.ts';
import { isDomainError } from '../../runtime/errors.ts';
import { derivedRequestId, type Random } from '../../runtime/random.ts';
import type { SqlStore } from '../../store/sql/open.ts';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { type HardwareTask, tryAgain } from '../domain/hardware-task.ts';
import { spokenConflict } from '../domain/identifier-conflict.ts';
import { INSPECT_MS } from '../domain/provider-deadline.ts';
import { follow } from '../domain/provider-lifecycle.ts';
import type { ProviderState } from '../domain/provider-state.ts';
import type { InventoryPort, SchedulerPort } from '../neighbours-port.ts';
import type { Orders } from '../order-port.ts';
import type { Records } from '../ports.ts';
import { busy, takeTurn } from '../provider-turn.ts';
import { tellOfConflicts, tellOfProvider } from './provider-story.ts';
import { type FailedTry, failureOf } from './task-failure.ts';
import type { TaskHandler, TaskStep } from './task-runner.ts';

type Deps = {
  readonly store: SqlStore;
  readonly records: Records;
  readonly orders: Pick<Orders, 'atProvider'>;
  readonly inventory: Pick<InventoryPort, 'findProvider' | 'recordFacts'>;
  readonly scheduler: Pick<SchedulerPort, 'tell'>;
  readonly clock: Clock;
  readonly random: Random;
};

/** Facts of a large server by Redfish are hundreds of answers. */
const WORK_MS = 2 * 60_000;
/** After this a server whose controller was away is tried again by itself. */
const RETRY_MS = 30 * 60_000;
const BUSY_MS = 500;

export const createInspectTask =
  (deps: Deps): TaskHandler =>
  async ({ task, signal }) => {
    const { providerUid, partition } = task;
    const name = `partitions/${partition}/providers/${providerUid}`;
    // Where inventory stays away, this much is known of it.
    const place = { name, partition, uid: providerUid };
    try {
      const provider = await deps.inventory.findProvider(name, signal);
      if (provider === undefined) return { outcome: { kind: 'done' } };
      return task.step === 'open'
        ? await open(deps, provider, { task, signal })
        : await read(deps, provider, { task, signal });
    } catch (error) {
      if (signal.aborted) throw error;
      const at = { nowMs: deps.clock.now().getTime(), limitMs: INSPECT_MS };
      const failure = failureOf(error, at.nowMs >= task.stepMs + at.limitMs);
      const outcome = tryAgain(task, failure, at);
      const { isPassing } = failure;
      return outcome.kind === 'failed'
        ? fails(deps, place, { ...outcome.failure, isPassing })
        : { outcome };
    }
  };

type Turn = { readonly task: HardwareTask; readonly signal: AbortSignal };

const read = async (
  deps: Deps,
  provider: ProviderView,
  { task, signal }: Turn,
): Promise<TaskStep> => {
  const ordered = {
    work: { case: 'readFacts', value: {} },
    // Each try is a command of its own: the agent answers a known one as before.
    commandId: derivedRequestId(task.uid, `read ${task.attempt}`),
    timeoutMs: WORK_MS,
    isSafeTwice: true,
  } as const;
  let answer: Awaited<ReturnType<Orders['atProvider']>>;
  try {
    answer = await deps.orders.atProvider(provider, ordered, signal);
  } catch (error) {
    if (!isDomainError(error, 'failed_precondition')) throw error;
    // Wrong credentials, another certificate: tried again by an operator only, or accounts lock.
    return fails(deps, provider, { ...error, message: error.message, isPassing: false });
  }
  const facts = answer.content.case === 'facts' ? answer.content.value : undefined;
  const { certificateSha256 } = answer;
  const observeMs = deps.clock.now().getTime();
  const recorded = { provider: provider.name, facts, certificateSha256, observeMs };
  const { conflicts } = await deps.inventory.recordFacts(recorded, signal);
  const tellNews = async (tx: Tx): Promise<void> => {
    if (facts !== undefined) await tellOfConflicts(deps, tx, { provider, conflicts });
  };
  if (conflicts.length > 0) {
    const said = conflicts.map(spokenConflict).join(', ');
    const message = `Another provider has what it says of itself: ${said}`;
    const failed = { reason: 'INSPECTION_FAILED', message, isPassing: false };
    const { outcome, write } = fails(deps, provider, failed);
    return {
      outcome,
      write: async (tx, after) => {
        await tellNews(tx);
        await write?.(tx, after);
      },
    };
  }
  const data = { vendor: facts?.vendor ?? '', model: facts?.model ?? '' };
  return { outcome: { kind: 'next', step: 'open', data }, write: tellNews };
};

/** The scheduler's leader first, then the row, in one turn of the provider. */
const open = async (
  deps: Deps,
  provider: ProviderView,
  { task, signal }: Turn,
): Promise<TaskStep> => {
  const turn = await takeTurn(deps, provider);
  if (turn === undefined) {
    return { outcome: { kind: 'again', afterMs: BUSY_MS, why: 'it is being changed' } };
  }
  const { known, owner } = turn;
  // Closed by an operator meanwhile, or accepted without us; or it was open and only looked at.
  if (known.state !== 'inspecting') {
    await turn.giveUp();
    return ends(deps, provider, { task });
  }
  try {
    await turn.tell(false, signal);
    const nowMs = deps.clock.now().getTime();
    const opened = {
      ...known,
      state: follow('inspecting', 'inspected', 'available'),
      generation: provider.generation,
      reason: '',
      principal: '',
      sinceMs: nowMs,
      problem: null,
    };
    return ends(deps, provider, { task, opening: { opened, owner } });
  } catch (error) {
    await turn.giveUp();
    throw error;
  }
};

type Ended = {
  readonly task: HardwareTask;
  /** What its row becomes; absent: it stays as it is. */
  readonly opening?: { readonly opened: ProviderState; readonly owner: string };
};

const ends = (deps: Deps, provider: ProviderView, { task, opening }: Ended): TaskStep => ({
  outcome: { kind: 'done' },
  write: async (tx) => {
    if (opening !== undefined) {
      const { opened, owner } = opening;
      // Another had a turn meanwhile and told the scheduler something else: once more.
      if (!(await deps.records.providers.save(tx, opened, owner))) throw busy(provider.name);
    }
    const { vendor = '', model = '' } = task.data;
    const what = `${vendor} ${model}`.trim();
    const open = opening === undefined ? '' : '; it is open for claims';
    const told = {
      type: 'provider.inspected',
      message: `Its facts were read${what === '' ? '' : ` (${what})`}${open}`,
      principal: task.principal,
    };
    await tellOfProvider(deps, tx, { provider, told });
  },
});

type Named = Pick<ProviderView, 'name' | 'partition' | 'uid'>;

const fails = (deps: Deps, provider: Named, failed: FailedTry): TaskStep => {
  const { reason, message, isPassing } = failed;
  return {
    outcome: { kind: 'failed', failure: { reason, message } },
    write: async (tx) => {
      const nowMs = deps.clock.now().getTime();
      const retryMs = isPassing ? nowMs + RETRY_MS : null;
      const problem = { reason, message, sinceMs: nowMs, retryMs };
      const isOut = await deps.records.providers.fail(tx, {
        providerUid: provider.uid,
        from: 'inspecting',
        to: follow('inspecting', 'inspect_failed', 'inspect_failed'),
        problem,
      });
      const next = isOut
        ? `; when it is mended: runm provider inspect ${provider.name.split('/').at(-1)}`
        : '';
      const told = {
        type: 'provider.inspect_failed',
        severity: 'error' as const,
        message: `It could not be inspected: ${message}${next}`,
        data: { reason },
      };
      await tellOfProvider(deps, tx, { provider, told });
    },
  };
};
