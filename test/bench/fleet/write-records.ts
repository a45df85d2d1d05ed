import {
  type Coordination,
  TRANSACTION_OPERATIONS_MAX,
  type Write,
} from '../../../services/store/coordination/port.ts';

/** Below what a transaction may have in all, with room for keys. */
const BYTES_MAX = 800_000;
const AT_ONCE = 8;
const CALL_MS = 20_000;

/** Puts all of them in full transactions, several on their way; answers how many. */
export const writeRecords = async (
  coordination: Coordination,
  writes: Iterable<Write>,
): Promise<number> => {
  const onTheWay = new Set<Promise<void>>();
  let failure: unknown;
  let count = 0;
  const send = async (batch: readonly Write[]): Promise<void> => {
    count += batch.length;
    const sent = coordination
      .transact({ compare: [], writes: batch }, AbortSignal.timeout(CALL_MS))
      .then(
        () => undefined,
        (error: unknown) => {
          failure ??= error;
        },
      )
      .finally(() => onTheWay.delete(sent));
    onTheWay.add(sent);
    if (onTheWay.size >= AT_ONCE) await Promise.race(onTheWay);
    if (failure !== undefined) throw failure;
  };
  for (const batch of batchesOf(writes)) await send(batch);
  await Promise.all(onTheWay);
  if (failure !== undefined) throw failure;
  return count;
};

function* batchesOf(writes: Iterable<Write>): Generator<readonly Write[]> {
  let batch: Write[] = [];
  let bytes = 0;
  for (const write of writes) {
    const size = 'put' in write ? write.value.byteLength : 0;
    if (batch.length >= TRANSACTION_OPERATIONS_MAX || bytes + size > BYTES_MAX) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(write);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
