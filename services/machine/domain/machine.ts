/**
 * A machine as this service keeps it. Times are milliseconds since 1970, sizes bytes, and null
 * stands for "not there": these values are stored as JSON, which has no undefined.
 */
import type { BootSource } from './boot-source.ts';
import type { MachineState } from './lifecycle.ts';

export type MachineType = 'any' | 'bare_metal' | 'virtual';
export type Power = 'on' | 'off' | 'paused' | 'unknown';
export type WantedPower = 'on' | 'off' | 'paused';

export type Problem = {
  /** UPPER_SNAKE of common/v1/error.proto. */
  readonly reason: string;
  readonly message: string;
  readonly sinceMs: number;
  /** When the system tries again by itself; null = it does not. */
  readonly retryMs: number | null;
};

/** What the tenant says it boots from; images are named as given (name or uid). */
export type Boot =
  | { readonly kind: 'image'; readonly image: string }
  | { readonly kind: 'media'; readonly image: string }
  | { readonly kind: 'network' }
  | { readonly kind: 'none' };

export type ReadyWhen =
  | { readonly kind: 'phone_home' }
  | { readonly kind: 'running' }
  | { readonly kind: 'tcp_port'; readonly port: number }
  | { readonly kind: 'console_text'; readonly text: string };

export type PortForward = {
  readonly guestPort: number;
  /** 0 = the agent chooses. */
  readonly hostPort: number;
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
};

/** What is wanted, as given: zeros and nulls are filled in by spec.ts where they are used. */
export type MachineSpec = {
  readonly type: MachineType;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly boot: Boot | null;
  readonly readyWhen: ReadyWhen | null;
  readonly ports: readonly PortForward[];
  /** Name or uid; empty = one is made. */
  readonly claim: string;
  readonly bootTimeoutMs: number | null;
  /** Name or uid; empty = any. */
  readonly provider: string;
};

/**
 * What the spec meant when it was accepted: images resolved to digests. Assignments are rendered
 * from it.
 */
export type Resolved = {
  readonly boot: BootSource;
  readonly readyWhen: ReadyWhen;
  readonly imageUids: readonly string[];
  /** Size to claim for the root disk; 0 = none. */
  readonly diskBytes: number;
};

/** The resources that a machine uses. */
export type Holding = {
  /** Resource name of the claim. */
  readonly claim: string;
  readonly claimUid: string;
  readonly group: string;
  readonly index: number;
  /** Whether deleting the machine releases the claim. */
  readonly owned: boolean;
  readonly provider: string;
  readonly providerUid: string;
};

/** What verbs set and agents bring about. */
export type Wanted = {
  readonly power: WantedPower;
  /** Grows for every boot that is asked for. */
  readonly bootGeneration: number;
  /** With power off: how long the guest may take; null = never forced. */
  readonly forceAfterMs: number | null;
  /** Of a server: false once its tenant may not use it any more; absent = he may. */
  readonly access?: boolean;
  /** Of a server: from what it boots; absent = as the spec says. */
  readonly bootDevice?: BootDevice;
};

export type BootDevice = {
  readonly type: 'none' | 'network' | 'disk' | 'cdrom' | 'setup';
  /** For every boot. */
  readonly persistent: boolean;
  readonly mode: 'as_set_up' | 'uefi' | 'legacy';
};

/** Whether it is a whole server, and not a guest on a host. */
export const isMetal = ({ spec }: { readonly spec: Pick<MachineSpec, 'type'> }): boolean =>
  spec.type === 'bare_metal';

export type BootReport = {
  readonly bootCount: number;
  readonly startMs: number | null;
  readonly kernelMs: number | null;
  readonly phoneHomeMs: number | null;
  readonly bootId: string;
  readonly kernelRelease: string;
  readonly hostname: string;
};

/** The newest word of the agent. */
export type Observed = {
  readonly incarnation: number;
  readonly generation: number;
  readonly power: Power;
  readonly bootGeneration: number;
  readonly boot: BootReport | null;
  readonly ready: boolean;
  readonly ports: readonly PortForward[];
  readonly problem: Problem | null;
  readonly gone: boolean;
  readonly timeMs: number;
  readonly guestOff: boolean;
  readonly emulated: boolean;
};

export type Machine = {
  readonly uid: string;
  /** Of the row; the etag is made of it. */
  readonly version: number;
  readonly partition: string;
  readonly project: string;
  readonly machineId: string;
  readonly generation: number;
  readonly createMs: number;
  readonly updateMs: number;
  readonly deleteMs: number | null;
  /** JSON forms of PropertyValue by key. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly tags: readonly string[];
  readonly spec: MachineSpec;
  readonly resolved: Resolved;
  readonly state: MachineState;
  readonly stateMs: number;
  readonly problem: Problem | null;
  /** Operation in progress. */
  readonly operationUid: string | null;
  readonly holding: Holding | null;
  readonly wanted: Wanted;
  readonly observed: Observed | null;
  readonly readyMs: number | null;
};

/** "partitions/{p}/projects/{q}/machines/{m}" */
export const machineName = (
  machine: Pick<Machine, 'partition' | 'project' | 'machineId'>,
): string =>
  `partitions/${machine.partition}/projects/${machine.project}/machines/${machine.machineId}`;

/** The agent's word on what is wanted now; null while it has not caught up. */
export const currentObservation = (machine: Machine): Observed | null =>
  machine.observed !== null && machine.observed.generation >= machine.generation
    ? machine.observed
    : null;

/** A new generation: agents compare it, so it must grow with every change of what is wanted. */
export const want = (machine: Machine, wanted: Partial<Wanted>): Machine => ({
  ...machine,
  generation: machine.generation + 1,
  wanted: { ...machine.wanted, ...wanted },
});
