import { create, toBinary } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { SessionRequestSchema } from '../../../gen/runmachine/agent/v1/agent_service_pb.ts';
import { type Observation, ObservationSchema } from '../../../gen/runmachine/agent/v1/report_pb.ts';
import { type Problem, ProblemSchema } from '../../../gen/runmachine/common/v1/problem_pb.ts';
import { PortForwardSchema } from '../../../gen/runmachine/machine/v1/machine_boot_pb.ts';
import { PowerState } from '../../../gen/runmachine/machine/v1/machine_pb.ts';
import type { AssignmentVersion } from '../domain/assignment-order.ts';
import type { GuestRecord } from '../journal.ts';
import type { ForwardSpec, GuestPower } from '../ports.ts';

export type GuestView = {
  readonly uid: string;
  readonly version: AssignmentVersion;
  readonly power: GuestPower | 'unknown';
  readonly record: GuestRecord;
  readonly forwards: readonly ForwardSpec[];
  /** `retryMs`: after how long the agent tries again by itself. */
  readonly problem?: {
    readonly reason: string;
    readonly message: string;
    readonly retryMs: number;
  };
  readonly emulated: boolean;
  readonly gone: boolean;
};

const POWER: Readonly<Record<GuestView['power'], PowerState>> = {
  on: PowerState.ON,
  off: PowerState.OFF,
  paused: PowerState.PAUSED,
  unknown: PowerState.UNKNOWN,
};

export const observationOf = (view: GuestView, now: Date): Observation => {
  const { record } = view;
  const at = (ms: number) => (ms > 0 ? timestampFromMs(ms) : undefined);
  const [startTime, kernelTime, phoneHomeTime] = [
    at(record.startedAtMs),
    at(record.kernelAtMs),
    at(record.phoneHomeAtMs),
  ];
  return create(ObservationSchema, {
    uid: view.uid,
    incarnation: view.version.incarnation,
    generation: view.version.generation,
    power: POWER[view.power],
    bootGeneration: record.bootGeneration,
    ...(record.bootCount > 0
      ? {
          boot: {
            bootCount: BigInt(record.bootCount),
            ...(startTime ? { startTime } : {}),
            ...(kernelTime ? { kernelTime } : {}),
            ...(phoneHomeTime ? { phoneHomeTime } : {}),
            bootId: record.bootId,
            kernelRelease: record.kernelRelease,
            hostname: record.hostname,
          },
        }
      : {}),
    ready: record.readyAtMs > 0,
    ports: view.forwards.map((forward) => create(PortForwardSchema, forward)),
    ...(view.problem ? { problem: problemMessage(view.problem, now) } : {}),
    gone: view.gone,
    time: timestampFromMs(now.getTime()),
    guestOff: record.guestOff,
    emulated: view.emulated,
  });
};

const problemMessage = (problem: NonNullable<GuestView['problem']>, now: Date): Problem =>
  create(ProblemSchema, {
    reason: problem.reason,
    message: problem.message,
    since: timestampFromMs(now.getTime()),
    retryTime: timestampFromMs(now.getTime() + problem.retryMs),
  });

/** What two observations differ in, apart from when they were made. */
export const fingerprint = (observation: Observation): string => {
  const { time: _, problem, ...seen } = observation;
  const { reason = '', message = '' } = problem ?? {};
  const rest = {
    ...seen,
    ...(problem ? { problem: create(ProblemSchema, { reason, message }) } : {}),
  };
  return Buffer.from(toBinary(ObservationSchema, create(ObservationSchema, rest))).toString(
    'base64',
  );
};

export const observationReport = (sequence: bigint, observation: Observation): Uint8Array =>
  toBinary(
    SessionRequestSchema,
    create(SessionRequestSchema, {
      sequence,
      content: { case: 'observation', value: observation },
    }),
  );
