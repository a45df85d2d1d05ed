/** What was seen of a provider, as it is stored beside what is declared. */
import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf';
import {
  type Timestamp,
  TimestampSchema,
  timestampFromMs,
  timestampMs,
} from '@bufbuild/protobuf/wkt';
import { type Problem, ProblemSchema } from '../../../gen/runmachine/common/v1/problem_pb.ts';
import {
  type Facts,
  FactsSchema,
} from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { ProviderRecord } from '../domain/records.ts';

export type Observation = {
  /** Without what another provider has. Absent: never read. */
  readonly facts?: Facts;
  readonly observeTime?: Timestamp;
  /** What the service that looked says is wrong. */
  readonly reported?: Problem;
  /** What others have of its identifiers. */
  readonly conflict?: Problem;
};

type Stored = {
  readonly facts?: JsonValue;
  readonly observeTime?: JsonValue;
  readonly reported?: JsonValue;
  readonly conflict?: JsonValue;
};

/** A newer replica may have written fields that this one does not know. */
const OPTIONS = { ignoreUnknownFields: true };

export const observationOf = ({ observed }: Pick<ProviderRecord, 'observed'>): Observation => {
  if (observed === '') return {};
  const stored: Stored = JSON.parse(observed);
  const { facts, observeTime, reported, conflict } = stored;
  return {
    ...(facts !== undefined && { facts: fromJson(FactsSchema, facts, OPTIONS) }),
    ...(observeTime !== undefined && { observeTime: fromJson(TimestampSchema, observeTime) }),
    ...(reported !== undefined && { reported: fromJson(ProblemSchema, reported, OPTIONS) }),
    ...(conflict !== undefined && { conflict: fromJson(ProblemSchema, conflict, OPTIONS) }),
  };
};

export const observationText = (observation: Observation): string => {
  const { facts, observeTime, reported, conflict } = observation;
  return JSON.stringify({
    ...(facts && { facts: toJson(FactsSchema, facts) }),
    ...(observeTime && { observeTime: toJson(TimestampSchema, observeTime) }),
    ...(reported && { reported: toJson(ProblemSchema, reported) }),
    ...(conflict && { conflict: toJson(ProblemSchema, conflict) }),
  });
};

/** What of it is in the provider's status. What the service says counts more than a conflict. */
export const seenOf = (record: Pick<ProviderRecord, 'observed'>) => {
  const { facts, observeTime, reported, conflict } = observationOf(record);
  const problem = reported ?? conflict;
  return {
    ...(facts && { observedFacts: facts }),
    ...(observeTime && { observeTime }),
    ...(problem && { problem }),
  };
};

export const observedMs = ({ observeTime }: Observation): number =>
  observeTime === undefined ? 0 : timestampMs(observeTime);

/** The same problem goes on since it began. */
export const goingOn = (
  before: Problem | undefined,
  now: Problem | undefined,
  nowMs: number,
): Problem | undefined => {
  if (now === undefined) return undefined;
  if (now.since !== undefined) return now;
  const since = before?.reason === now.reason ? before.since : undefined;
  return { ...now, since: since ?? timestampFromMs(nowMs) };
};
