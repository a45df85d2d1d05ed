/**
 * The stream of a watch, read where its events lie in what etcd sends; see range-call.ts.
 * https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { type ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { WireFields } from '../../../runtime/wire-fields.ts';
import type { Revision, WatchEvent } from '../port.ts';
import type { Member } from './members.ts';
import { type Prefix, readKeyValue, revisionOf } from './range-call.ts';

export type WatchQuestion = {
  readonly key: Buffer;
  readonly range_end: Buffer;
  readonly from: Revision;
};

export type WatchAnswer = {
  readonly revision: Revision;
  readonly isCreated: boolean;
  readonly isCanceled: boolean;
  /** 0 = what was asked for is not compacted. */
  readonly compactRevision: bigint;
  readonly reason: string;
  /** More of its last revision may be to come. */
  readonly isFragment: boolean;
  readonly events: readonly WatchEvent[];
};

const PATH = '/etcdserverpb.Watch/Watch';

export const callWatch = (
  { direct, options }: Member,
  prefix: Prefix,
): ClientDuplexStream<WatchQuestion, WatchAnswer> =>
  direct.makeBidiStreamRequest(
    PATH,
    encode,
    (bytes: Buffer) => readAnswer(bytes, prefix),
    new Metadata(),
    options,
  );

const VARINT = 0;
const BYTES = 2;
const CREATE = 1;
const ASKED = { key: 1, rangeEnd: 2, startRevision: 3, progressNotify: 4, fragment: 8 } as const;

const encode = ({ key, range_end: rangeEnd, from }: WatchQuestion): Buffer => {
  const writer = new BinaryWriter().tag(CREATE, BYTES).fork();
  writer.tag(ASKED.key, BYTES).bytes(key);
  writer.tag(ASKED.rangeEnd, BYTES).bytes(rangeEnd);
  writer.tag(ASKED.startRevision, VARINT).int64(from);
  writer.tag(ASKED.progressNotify, VARINT).bool(true);
  writer.tag(ASKED.fragment, VARINT).bool(true);
  return Buffer.from(writer.join().finish());
};

const ANSWER = {
  header: 1,
  created: 3,
  canceled: 4,
  compactRevision: 5,
  cancelReason: 6,
  fragment: 7,
  events: 11,
} as const;

const readAnswer = (bytes: Buffer, prefix: Prefix): WatchAnswer => {
  const answer = new WireFields(bytes);
  const events: WatchEvent[] = [];
  let [revision, compactRevision, reason] = [0n, 0n, ''];
  let [isCreated, isCanceled, isFragment] = [false, false, false];
  while (answer.next()) {
    switch (answer.field) {
      case ANSWER.header:
        revision = revisionOf(answer.inner());
        break;
      case ANSWER.created:
        isCreated = answer.value !== 0;
        break;
      case ANSWER.canceled:
        isCanceled = answer.value !== 0;
        break;
      case ANSWER.compactRevision:
        compactRevision = answer.integer();
        break;
      case ANSWER.cancelReason:
        reason = answer.text();
        break;
      case ANSWER.fragment:
        isFragment = answer.value !== 0;
        break;
      case ANSWER.events:
        events.push(readEvent(answer.inner(), prefix));
    }
  }
  return { revision, isCreated, isCanceled, compactRevision, reason, isFragment, events };
};

const EVENT = { type: 1, keyValue: 2 } as const;
const NOTHING = new WireFields(Buffer.alloc(0));

/** A put is the type that is not written. */
const readEvent = (event: WireFields, prefix: Prefix): WatchEvent => {
  let isPut = true;
  let keyValue = NOTHING;
  while (event.next()) {
    if (event.field === EVENT.type) isPut = event.value === 0;
    else if (event.field === EVENT.keyValue) keyValue = event.inner();
  }
  const at = readKeyValue(keyValue, prefix);
  return isPut ? { kind: 'put', at } : { kind: 'delete', key: at.key, modRevision: at.modRevision };
};
