/** The timeline: what happened, in sentences. Written in the transaction of what they tell. */
import type { ProviderView } from './capacity.ts';
import { type Machine, machineName } from './machine.ts';

export type Severity = 'info' | 'warning' | 'error';

export type EventDraft = {
  readonly type: string;
  readonly severity: Severity;
  readonly message: string;
  readonly timeMs: number;
  readonly data: Readonly<Record<string, string>>;
};

export type EventRecord = EventDraft & {
  readonly uid: string;
  readonly recordMs: number;
  /** Empty = it belongs to no project, for example an agent's. */
  readonly partition: string;
  readonly project: string;
  /** Resource name of the object at that time. */
  readonly target: string;
  readonly targetUid: string;
  /** Empty = the system. */
  readonly principal: string;
  /** Resource name; empty = none. */
  readonly operation: string;
};

type Said = {
  readonly type: string;
  readonly message: string;
  readonly severity?: Severity;
  readonly data?: Readonly<Record<string, string>>;
};

export const event = (nowMs: number, said: Said): EventDraft => ({
  type: said.type,
  severity: said.severity ?? 'info',
  message: said.message,
  timeMs: nowMs,
  data: said.data ?? {},
});

/** About whom an event is, for a machine. */
export const aboutMachine = (machine: Machine) => ({
  partition: machine.partition,
  project: machine.project,
  target: machineName(machine),
  targetUid: machine.uid,
});

/** About whom an event is, for a provider: operators see it, tenants do not. */
export const aboutProvider = (provider: Pick<ProviderView, 'partition' | 'name' | 'uid'>) => ({
  partition: provider.partition,
  project: '',
  target: provider.name,
  targetUid: provider.uid,
});
