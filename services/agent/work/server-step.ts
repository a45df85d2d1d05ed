import type { Server } from '../../../gen/runmachine/agent/v1/assignment_pb.ts';
import { bootChoice } from '../bmc/answer-message.ts';
import type { ControllerRef } from '../bmc/controller-ref.ts';
import { shareable } from '../bmc/shareable.ts';
import type { ServerRecord } from '../bmc-journal.ts';
import { BmcError, type PowerChange, type PowerReading } from '../bmc-port.ts';
import type { ServerStep } from '../domain/server-plan.ts';
import type { ServerTurn } from './server-turn.ts';

type Stepping = ServerTurn & {
  readonly ref: ControllerRef;
  readonly power: PowerReading;
  /** Absent: it is to be gone. */
  readonly server?: Server;
};

const CHANGE_MS = 180_000;
const BEGIN_MS = 120_000;
const WATCH_LIMIT_MS = 24 * 3_600_000;

/** Takes one step and answers the power as it is after it. */
export const takeStep = async (stepping: Stepping, step: ServerStep): Promise<PowerReading> => {
  const { deps, uid, own, power } = stepping;
  switch (step.do) {
    case 'nothing':
      // What it says after it was off belongs to the next boot.
      if (power === 'off') endWatch(stepping);
      keepReady(stepping);
      return power;
    case 'note_switched_off':
      endWatch(stepping);
      save(stepping, { switchedOff: true, startedAtMs: 0, readyAtMs: 0 });
      say(stepping, 'machine.guest_off', 'it was switched off from inside or by hand');
      return power;
    case 'note_switched_on':
      save(stepping, { switchedOff: false, startedAtMs: deps.clock.now().getTime() });
      say(stepping, 'machine.powered_on', 'it was switched on by hand or by itself');
      return power;
    case 'set_boot_device':
      await setBootDevice(stepping);
      return power;
    case 'power_on':
      // Before it is sent: what is seen on afterwards was brought on by us.
      save(stepping, { sentGeneration: stepping.server?.bootGeneration ?? 0n });
      watchConsole(stepping);
      await change(stepping, 'on');
      noteBooted(stepping);
      return 'on';
    case 'note_booted':
      noteBooted(stepping);
      return power;
    case 'force_off':
      endWatch(stepping);
      await change(stepping, 'off');
      save(stepping, { startedAtMs: 0, readyAtMs: 0 });
      say(stepping, 'machine.powered_off', 'switched off');
      return 'off';
    case 'ask_off':
      own.askedAtMs = deps.clock.monotonicMs();
      await ask(stepping);
      return power;
    default: {
      const never: never = step;
      throw new TypeError(`unknown step ${JSON.stringify(never)} for ${uid}`);
    }
  }
};

const change = ({ deps, ref, signal }: Stepping, wanted: PowerChange): Promise<void> => {
  // On and off are safe to repeat (bmc-port.ts).
  const isRepeatable = wanted === 'on' || wanted === 'off';
  const limits = { beginWithinMs: BEGIN_MS, timeoutMs: CHANGE_MS, isRepeatable };
  const job = { kind: `power_${wanted}`, ...limits, signal };
  return deps.controllers.run(ref, job, async (access, to) =>
    (await access.aspect('power')).verbs.change(wanted, to),
  );
};

/** One that cannot be asked is forced where that is allowed, or left as it is. */
const ask = async (stepping: Stepping): Promise<void> => {
  try {
    await change(stepping, 'soft_off');
    say(stepping, 'machine.asked_off', 'asked its operating system to power off');
  } catch (error) {
    const isNo = error instanceof BmcError && ['unsupported', 'refused'].includes(error.fault);
    if (!isNo) throw error;
    stepping.own.cannotAsk = true;
    const why = shareable(stepping.ref, error.message);
    say(stepping, 'machine.asked_off', `it cannot be asked to power off: ${why}`);
  }
};

const setBootDevice = async (stepping: Stepping): Promise<void> => {
  const { deps, ref, signal, server } = stepping;
  if (server?.bootDevice === undefined) return;
  const choice = bootChoice(server.bootDevice);
  const limits = { beginWithinMs: BEGIN_MS, timeoutMs: CHANGE_MS, isRepeatable: true };
  await deps.controllers.run(ref, { kind: 'boot_device', ...limits, signal }, async (access, to) =>
    (await access.aspect('bootDevice')).verbs.set(choice, to),
  );
  save(stepping, { deviceGeneration: server.bootGeneration });
};

const noteBooted = (stepping: Stepping): void => {
  const { deps, uid, server } = stepping;
  const bootCount = (deps.journal.bmc.server(uid)?.bootCount ?? 0) + 1;
  save(stepping, {
    bootCount,
    bootGeneration: server?.bootGeneration ?? 0n,
    switchedOff: false,
    startedAtMs: deps.clock.now().getTime(),
    readyAtMs: 0,
  });
  say(stepping, 'machine.powered_on', `powered on (boot ${bootCount})`);
};

const save = ({ deps, uid }: Stepping, change: Partial<ServerRecord>): void => {
  const record = deps.journal.bmc.server(uid);
  if (record) deps.journal.bmc.saveServer(uid, { ...record, ...change });
};

const say = ({ deps, uid }: Stepping, type: string, message: string, warning = false): void => {
  deps.reporter.happened({ type, uid, message: message.slice(0, 2_000), warning });
};

/** Ready once it runs, or once its console has shown the text. */
const keepReady = (stepping: Stepping): void => {
  const { deps, uid, server, power } = stepping;
  const record = deps.journal.bmc.server(uid);
  if (!record || !server || power !== 'on' || record.readyAtMs > 0) return;
  if (record.bootGeneration < server.bootGeneration || record.switchedOff) return;
  const condition = server.readyWhen?.condition.case;
  if (condition === undefined || condition === 'running') {
    save(stepping, { readyAtMs: deps.clock.now().getTime() });
  } else if (condition === 'consoleText') watchConsole(stepping);
};

export const endWatch = ({ own }: Pick<ServerTurn, 'own'>): void => {
  own.readiness?.abort();
  delete own.readiness;
};

/** Begins before the power comes on, so that nothing is missed. */
const watchConsole = (stepping: Stepping): void => {
  const { deps, uid, own, server, wake } = stepping;
  const condition = server?.readyWhen?.condition;
  if (condition?.case !== 'consoleText' || own.readiness) return;
  const ended = new AbortController();
  own.readiness = ended;
  const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(WATCH_LIMIT_MS)]);
  deps.consoles.sees(uid, condition.value, signal).then(
    () => {
      save(stepping, { readyAtMs: deps.clock.now().getTime() });
      wake();
    },
    (error: unknown) => {
      if (own.readiness === ended) delete own.readiness;
      if (!signal.aborted) deps.log.info({ uid, err: error }, 'readiness is unknown');
    },
  );
};
