/**
 * A new password for a controller, in two phases: it is staged beside the old one, set at the
 * controller by an agent, which signs in with it, and then takes the old one's place. Wherever this
 * stops, one of the two is right, and agents know both.
 */
import type { Clock } from '../../runtime/clock.ts';
import { derivedRequestId, type Random } from '../../runtime/random.ts';
import type { ProviderView } from '../domain/capacity.ts';
import { aboutProvider, event } from '../domain/event.ts';
import { type HardwareTask, tryAgain } from '../domain/hardware-task.ts';
import { PASSWORD_BYTES, passwordOf } from '../domain/password.ts';
import type { SecretPort } from '../neighbours-port.ts';
import type { Orders } from '../order-port.ts';
import type { Records } from '../ports.ts';
import { failureOf } from './task-failure.ts';
import type { TaskHandler, TaskStep } from './task-runner.ts';

type Deps = {
  readonly records: Pick<Records, 'events'>;
  readonly secrets: SecretPort;
  readonly orders: Pick<Orders, 'atProvider'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly findProvider: (
    task: Pick<HardwareTask, 'providerUid' | 'partition'>,
    signal: AbortSignal,
  ) => Promise<ProviderView | undefined>;
};

const LIMIT_MS = 10 * 60_000;
const WORK_MS = 60_000;
const PURPOSE = 'services/machine';

export const createRotateTask =
  (deps: Deps): TaskHandler =>
  async ({ task, signal }) => {
    const secret = task.data.secret ?? '';
    const { partition, providerUid: uid } = task;
    // Where inventory stays away, this much is known of it.
    const place = { name: `partitions/${partition}/providers/${uid}`, partition, uid };
    try {
      const provider = await deps.findProvider(task, signal);
      if (provider === undefined) return fails('NOT_FOUND', 'The provider is not there any more');
      switch (task.step) {
        case 'stage':
          return await stage(deps, { task, secret }, signal);
        case 'rotate':
          await deps.orders.atProvider(
            provider,
            {
              work: { case: 'rotate', value: {} },
              // Each try is a command of its own: the agent answers a known one as before.
              commandId: derivedRequestId(task.uid, `rotate ${task.attempt}`),
              timeoutMs: WORK_MS,
              isSafeTwice: true,
            },
            signal,
          );
          return { outcome: { kind: 'next', step: 'promote' } };
        default: {
          const requestId = derivedRequestId(task.uid, 'promote');
          await deps.secrets.promote({ name: secret, requestId }, signal);
          return ends(deps, provider, { kind: 'done' });
        }
      }
    } catch (error) {
      if (signal.aborted) throw error;
      const nowMs = deps.clock.now().getTime();
      const failure = failureOf(error, nowMs >= task.stepMs + LIMIT_MS);
      const outcome = tryAgain(task, failure, { nowMs, limitMs: LIMIT_MS });
      return outcome.kind === 'failed' ? ends(deps, place, outcome) : { outcome };
    }
  };

type Staging = { readonly task: HardwareTask; readonly secret: string };

const stage = async (
  { secrets, random }: Deps,
  { task, secret }: Staging,
  signal: AbortSignal,
): Promise<TaskStep> => {
  const values = await secrets.reveal({ name: secret, purpose: PURPOSE }, signal);
  if (values === undefined) return fails('NOT_FOUND', `The secret ${secret} does not exist`);
  // What somebody staged before (this task, or one that failed) goes on from there.
  if (Object.keys(values.staged).length === 0) {
    const data = { ...values.data, password: passwordOf(random.bytes(PASSWORD_BYTES)) };
    const requestId = derivedRequestId(task.uid, `stage ${task.attempt}`);
    await secrets.stage({ name: secret, data, requestId }, signal);
  }
  return { outcome: { kind: 'next', step: 'rotate' } };
};

const fails = (reason: string, message: string): TaskStep => ({
  outcome: { kind: 'failed', failure: { reason, message } },
});

const ends = (
  { records, clock, random }: Deps,
  provider: Pick<ProviderView, 'name' | 'partition' | 'uid'>,
  outcome: TaskStep['outcome'],
): TaskStep => ({
  outcome,
  write: async (tx, { principal, failure }) => {
    const nowMs = clock.now().getTime();
    const draft =
      failure === null
        ? event(nowMs, {
            type: 'provider.credentials_rotated',
            message: 'Its controller has a new password',
          })
        : event(nowMs, {
            type: 'provider.rotation_failed',
            severity: 'error',
            message: `${failure.message}. The new password stays staged; rotate again to go on`,
            data: { reason: failure.reason },
          });
    await records.events.insert(tx, [
      {
        ...draft,
        ...aboutProvider(provider),
        uid: random.uid(),
        recordMs: nowMs,
        principal,
        operation: '',
      },
    ]);
  },
});
