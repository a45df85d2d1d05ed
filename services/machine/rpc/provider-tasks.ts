/** What verbs on a provider do to the inspections and cleanings of it that are on their way. */
import type { HandlerContext } from '@connectrpc/connect';
import type { Tx } from '../../store/sql/transaction.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { type HardwareTask, newTask, type TaskKind } from '../domain/hardware-task.ts';
import { follow, type ProviderVerb } from '../domain/provider-lifecycle.ts';
import type { Cleaning, ProviderState } from '../domain/provider-state.ts';
import { cleanTaskOf } from '../domain/provider-work.ts';
import { actorOf, type RpcDeps } from './rpc-deps.ts';

type Deps = RpcDeps & { readonly taskEndMs: number };

/**
 * Which tasks a verb ends. Maintenance lets a cleaning go on; what is quarantined nobody touches.
 */
const ENDS: Readonly<Record<ProviderVerb, readonly TaskKind[]>> = {
  accept: ['inspect'],
  inspect: [],
  maintain: ['inspect'],
  quarantine: ['inspect', 'clean'],
  return: ['clean'],
  clean: [],
  adopt: ['inspect', 'clean'],
  retire: ['inspect'],
};

type Stopping = {
  readonly verb: ProviderVerb;
  readonly provider: ProviderView;
  readonly principal: string;
  readonly cleanings: readonly Cleaning[];
  readonly context: HandlerContext;
};

/**
 * Ends what is on its way, before anything is given back: a cleaning that still runs must not meet
 * the next tenant, so who returns a provider waits until its worker has noticed.
 */
export const stopTasks = async (
  deps: Deps,
  { verb, provider, principal, cleanings, context }: Stopping,
): Promise<void> => {
  const kinds = ENDS[verb];
  if (kinds.length === 0) return;
  const nowMs = deps.clock.now().getTime();
  const message = `${principal} ended it: ${verb}`;
  const failure = { reason: 'CANCELLED', message };
  const { uid: providerUid } = provider;
  // A run that is waited for by who took it over: its own worker died, and it may not have ended.
  const mayBeOrphan = ({ step }: HardwareTask) => step === 'hook-running';
  const ended = { providerUid, kinds, failure, nowMs, mayBeOrphan };
  await deps.store.transaction(undefined, actorOf(context), async (tx) => {
    const tasks = await deps.records.tasks.cancel(tx, ended);
    const cleans = tasks.filter(({ kind }) => kind === 'clean');
    for (const { subject } of cleans) {
      const cleaning = cleanings.find(({ claimUid }) => claimUid === subject);
      if (cleaning === undefined || cleaning.life === 'clean_failed') continue;
      const life = follow(cleaning.life, 'clean_failed', 'clean_failed');
      const problem = { ...failure, sinceMs: nowMs, retryMs: null };
      await deps.records.cleanings.save(tx, { ...cleaning, life, lifeMs: nowMs, problem });
    }
  });
  if (verb === 'return' || verb === 'adopt') await untilLetGo(deps, providerUid, context.signal);
};

const POLL_MS = 50;

/**
 * Until no worker of a cleaning is at the hardware any more, whichever verb ended it and when; one
 * that died says nothing, and is waited for as long as he could have gone on.
 */
const untilLetGo = async (deps: Deps, providerUid: string, signal: AbortSignal): Promise<void> => {
  for (;;) {
    const sinceMs = deps.clock.now().getTime() - deps.taskEndMs;
    const tasks = await deps.store.read((reader) =>
      deps.records.tasks.notLetGo(reader, { providerUid, sinceMs }),
    );
    if (!tasks.some(({ step }) => step === 'hook-running' || step === 'power-off')) return;
    await deps.clock.sleep(POLL_MS, signal);
  }
};

type Begun = {
  readonly verb: ProviderVerb;
  readonly provider: ProviderView;
  readonly after: ProviderState;
  readonly principal: string;
};

/** In the transaction of the verb. */
export const beginTasks = async (
  deps: Deps,
  tx: Tx,
  { verb, provider, principal }: Begun,
): Promise<void> => {
  const nowMs = deps.clock.now().getTime();
  const { uid: providerUid, partition } = provider;
  if (verb === 'inspect') {
    const place = { providerUid, partition, subject: '', principal, data: {} };
    const task = { uid: deps.random.uid(), kind: 'inspect', step: 'read', ...place } as const;
    await deps.records.tasks.insert(tx, newTask(task, nowMs));
  }
  if (verb !== 'clean') return;
  for (const cleaning of await deps.records.cleanings.ofProviders(tx, [providerUid])) {
    if (cleaning.life !== 'clean_failed') continue;
    const life = follow(cleaning.life, 'clean', 'releasing');
    await deps.records.cleanings.save(tx, { ...cleaning, life, lifeMs: nowMs, problem: null });
    const uid = deps.random.uid();
    const asked = { uid, cleaning, provider: provider.name, principal };
    await deps.records.tasks.insert(tx, cleanTaskOf(asked, nowMs));
  }
};
