/**
 * What is said over the lab's control socket: one line of JSON asks, one answers. Only who may open
 * the socket, the user of the lab, may ask.
 */
import type { LabFault, LabNic, LabPower } from './server-port.ts';

export type ControlRequest =
  | { readonly verb: 'status' }
  | { readonly verb: 'fault'; readonly server: string; readonly fault: LabFault | 'none' }
  /** Disks, BIOS settings and boot device are as new afterwards. Only of a server that is off. */
  | { readonly verb: 'wipe'; readonly server: string };

export type LabServerStatus = {
  readonly name: string;
  readonly unit: number;
  readonly powerFeeds: readonly string[];
  /** By which of its protocols it is enrolled. */
  readonly bmc: 'redfish' | 'ipmi';
  readonly nics: readonly LabNic[];
  readonly bmcMac: string;
  readonly power: LabPower;
  /** "https://host:port" */
  readonly redfish: string;
  /** "host:port", UDP. */
  readonly ipmi: string;
  readonly credentialsFile: string;
  readonly fault: LabFault | 'none';
};

export type LabStatus = {
  readonly site: string;
  readonly rack: string;
  readonly powerFeeds: readonly string[];
  readonly machines: 'qemu' | 'simulated';
  /** A sentence on why the servers are simulated, or how qemu runs. */
  readonly why: string;
  readonly servers: readonly LabServerStatus[];
};

export type ControlAnswer =
  | { readonly kind: 'status'; readonly status: LabStatus }
  | { readonly kind: 'done' }
  | { readonly kind: 'error'; readonly message: string };

/** Longer lines are refused. */
export const CONTROL_LINE_MAX = 4_096;
