/**
 * A console over an open session: Serial over LAN as the console's side does it (IPMI 2.0 §15). Its
 * session is its own, so that neither it nor the other requests wait for each other.
 */
import { type Clock, OVER } from '../../../../runtime/clock.ts';
import { BmcError, type SerialStream } from '../../../bmc-port.ts';
import { PAYLOAD } from '../wire/packet.ts';
import { decodeSol, encodeSol, SOL_OPERATION, SOL_STATUS, type SolPacket } from '../wire/sol.ts';
import { createSolReceiver } from '../wire/sol-receiver.ts';
import { createSolSender } from '../wire/sol-sender.ts';
import type { Asked, Session } from './session.ts';
import { createSolOutput } from './sol-output.ts';

export type SolStreamDeps = {
  readonly clock: Clock;
  readonly session: Session;
  readonly provider: string;
  readonly packetBytesMax: number;
  /**
   * Ends the session at the controller, and with `isOurs` the payload before it; never throws. One
   * that was taken over is another's payload, which must go on.
   */
  readonly hangUp: (isOurs: boolean) => Promise<void>;
};

/** What is kept for a reader who is slow; then the controller is told to wait. */
const OUTPUT_BYTES_MAX = 256 * 1024;
const RETRY_MS = 500;
const RETRIES_MAX = 12;
/** How often in a row it may answer that it can take nothing now. */
const VAIN_MAX = 20;
const KEEP_ALIVE_MS = 25_000;
const KEEP_ALIVE_LIMIT_MS = 10_000;
const GET_DEVICE_ID: Asked = { netFn: 0x06, command: 0x01, data: Buffer.alloc(0) };
const NOTHING = Buffer.alloc(0);

export const createSolStream = (deps: SolStreamDeps): SerialStream => {
  const { clock, session, provider } = deps;
  const ended = new AbortController();
  const output = createSolOutput();
  const receiver = createSolReceiver();
  const sender = createSolSender(deps.packetBytesMax);
  let acknowledged = Promise.withResolvers<SolPacket>();
  let writing: Promise<unknown> = Promise.resolve();

  const end = (failure: BmcError | undefined): void => {
    if (ended.signal.aborted) return;
    ended.abort(failure ?? OVER);
    session.listen(PAYLOAD.sol, undefined);
    output.end(failure);
  };
  const onBroken = (): void => end(asFailure(session.broken.reason, provider));
  session.broken.addEventListener('abort', onBroken, { once: true });

  const say = (packet: Partial<SolPacket>): void => {
    const none = { sequence: 0, acknowledged: 0, accepted: 0, flags: 0, data: NOTHING };
    session.sendPayload(PAYLOAD.sol, encodeSol({ ...none, ...packet }));
  };

  session.listen(PAYLOAD.sol, (payload) => {
    const packet = decodeSol(payload);
    if (packet === undefined) return;
    if (sender.acknowledge(packet, SOL_STATUS.nack)) acknowledged.resolve(packet);
    const taken = receiver.take(packet, OUTPUT_BYTES_MAX - output.waiting());
    if (taken !== undefined) {
      output.push(taken.data);
      const flags = taken.isPartial ? SOL_OPERATION.nack : 0;
      say({ acknowledged: taken.acknowledged, accepted: taken.accepted, flags });
    }
    if ((packet.flags & SOL_STATUS.deactivated) !== 0) {
      end(new BmcError('refused', `The console of provider "${provider}" was taken by another`));
    }
  });

  /** One packet until it is acknowledged, at least in part. */
  const transmit = async (): Promise<void> => {
    acknowledged = Promise.withResolvers<SolPacket>();
    let packet = sender.next();
    for (let retry = 0; retry <= RETRIES_MAX && packet !== undefined; retry += 1) {
      say(packet);
      const over = new AbortController();
      const waited = clock.sleep(RETRY_MS, AbortSignal.any([over.signal, ended.signal]));
      const answer = await Promise.race([acknowledged.promise, waited]).finally(() => {
        over.abort(OVER);
        waited.catch(() => undefined);
      });
      if (answer !== undefined) {
        // It took only a part, and does not say when it can take more.
        if ((answer.flags & SOL_STATUS.nack) !== 0) await clock.sleep(RETRY_MS, ended.signal);
        return;
      }
      packet = sender.next('again');
    }
    throw notTaken(provider);
  };

  const write = async (bytes: Uint8Array): Promise<void> => {
    try {
      ended.signal.throwIfAborted();
      sender.push(bytes);
      for (let vain = 0; sender.waiting() > 0; ) {
        const before = sender.waiting();
        await transmit();
        vain = sender.waiting() < before ? 0 : vain + 1;
        if (vain > VAIN_MAX) throw notTaken(provider);
      }
    } catch (error) {
      sender.clear();
      throw asFailure(error, provider);
    }
  };

  void keepAlive(clock, ended.signal, async () => {
    if (clock.monotonicMs() - session.lastUsedMs() < KEEP_ALIVE_MS) return;
    try {
      const limit = AbortSignal.any([ended.signal, AbortSignal.timeout(KEEP_ALIVE_LIMIT_MS)]);
      await session.request(GET_DEVICE_ID, limit);
    } catch (error) {
      if (!ended.signal.aborted) end(asFailure(error, provider));
    }
  });

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    session.broken.removeEventListener('abort', onBroken);
    const isOurs = !ended.signal.aborted;
    end(undefined);
    await deps.hangUp(isOurs);
  };

  return {
    output: output.bytes,
    write: (bytes) => {
      const turn = writing.then(() => write(bytes));
      writing = turn.catch(() => undefined);
      return turn;
    },
    close: () => {
      closing ??= close();
      return closing;
    },
  };
};

const notTaken = (provider: string): BmcError =>
  new BmcError('timeout', `The console of provider "${provider}" does not take what is typed`);

const asFailure = (error: unknown, provider: string): BmcError => {
  if (error instanceof BmcError) return error;
  const message = `The console of provider "${provider}" is closed`;
  return new BmcError('unreachable', message, [], error);
};

const keepAlive = async (
  clock: Clock,
  ended: AbortSignal,
  beat: () => Promise<void>,
): Promise<void> => {
  while (!ended.aborted) {
    await clock.sleep(KEEP_ALIVE_MS, ended).catch(() => undefined);
    if (!ended.aborted) await beat();
  }
};
