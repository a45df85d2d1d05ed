/**
 * The items of a batch. Most of them ask for the same under names of their own: what follows from
 * the claim alone is found out once for all whose claims are equal byte for byte.
 */
import { hash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { type Claim, ClaimSchema } from '../../../gen/runmachine/scheduler/v1/claim_pb.ts';
import {
  type BatchClaim,
  BatchClaimSchema,
} from '../../../gen/runmachine/scheduler/v1/claim_service_pb.ts';
import { orderedBytes } from '../../runtime/request-key.ts';
import { createMessageCheck } from '../../runtime/rpc/stages/validate.ts';
import { type Content, contentOf } from './claim-request.ts';
import type { RpcDeps } from './deps.ts';
import { checkNames } from './request-names.ts';

export type ReadItem = {
  readonly content: Content;
  /** Hexadecimal; that of the item for itself. */
  readonly argumentHash: string;
  /** Rejects with the errors of checkNames; the same promise for items that ask for the same. */
  readonly checked: Promise<void>;
};

/** Errors: invalid_argument INVALID_FIELD for what is wrong with that item. */
export type ItemReader = (item: BatchClaim) => ReadItem;

type Reading = { readonly partition: string; readonly signal: AbortSignal };

type Asked = Omit<ReadItem, 'argumentHash'> & { readonly bytes: Uint8Array };

/** Reads the items of one call. */
export const createBatchItems = (
  deps: Pick<RpcDeps, 'catalogue' | 'topologies'>,
  reading: Reading,
): ItemReader => {
  const byBytes = new Map<string, Asked>();
  /** Items that are alike were read with one message for what they ask. */
  const byMessage = new Map<Claim | undefined, Asked>();
  // It keeps its buffer from one item to the next.
  const writer = new BinaryWriter();
  return (item) => {
    const { claim } = item;
    const known = byMessage.get(claim);
    const bytes = known?.bytes ?? (claim === undefined ? NONE : orderedBytes(ClaimSchema, claim));
    const before = known ?? byBytes.get(textOf(bytes));
    // What is valid with one name is so with the next, if that is valid for itself.
    const named: BatchClaim = before === undefined ? item : { ...item, claim: BLANK };
    if (before === undefined || !isPlainName(item.claimId)) checkItem(BatchClaimSchema, named);
    const asked = before ?? learn(bytes, contentOf(claim));
    byMessage.set(claim, asked);
    const { content, checked } = asked;
    return { content, checked, argumentHash: itemHash(writer, item, bytes) };
  };

  function learn(bytes: Uint8Array, content: Content): Asked {
    const checked = checkNames(deps, { ...reading, spec: content.spec, at: 'claim.spec' });
    const made = { bytes, content, checked };
    byBytes.set(textOf(bytes), made);
    return made;
  }
};

/** The contract leaves the rules of items to this, so that one alone is refused. */
const checkItem = createMessageCheck();

/** Names that the contract allows, told quicker than with all that is told of those it does not. */
const isPlainName = (name: string): boolean => name.length <= 63 && PLAIN.test(name);
const PLAIN = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

const NONE = new Uint8Array();
/** Breaks no rule. */
const BLANK = create(ClaimSchema);

const textOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** The same as argumentHash, with the bytes of the claim at hand. */
const itemHash = (writer: BinaryWriter, item: BatchClaim, claimBytes: Uint8Array): string => {
  const { claimId, claim } = BatchClaimSchema.field;
  writer.tag(claimId.number, WireType.LengthDelimited).string(item.claimId);
  writer.tag(claim.number, WireType.LengthDelimited).bytes(claimBytes);
  for (const { no, wireType, data } of item.$unknown ?? []) writer.tag(no, wireType).raw(data);
  return hash('sha256', writer.finish(), 'hex');
};
