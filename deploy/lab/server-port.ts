/**
 * The server behind a virtual management controller: what the protocols in front of it (Redfish,
 * IPMI) show and change. One server, one state: what is set by one protocol is seen by the other.
 * Behind it is a qemu process or a simulated server; the protocols cannot tell which.
 */

export type LabPower = 'on' | 'off' | 'turning_on' | 'turning_off';
/** soft_reset: its operating system is asked to power off, then it boots again. */
export type LabPowerChange = 'on' | 'off' | 'soft_off' | 'soft_reset' | 'reset' | 'cycle' | 'nmi';
export type LabBootDevice = 'none' | 'network' | 'disk' | 'cdrom' | 'setup';
export type LabBoot = {
  readonly device: LabBootDevice;
  readonly persistent: boolean;
  readonly mode: 'uefi' | 'legacy';
};

export type LabProcessor = {
  readonly model: string;
  readonly cores: number;
  readonly threads: number;
};
export type LabMemory = { readonly label: string; readonly sizeBytes: number };
export type LabDisk = {
  readonly label: string;
  readonly model: string;
  readonly serialNumber: string;
  readonly sizeBytes: number;
  readonly kind: 'hdd' | 'ssd' | 'nvme';
};
export type LabNic = {
  readonly label: string;
  readonly mac: string;
  readonly speedBitsPerSecond: number;
};

/** What never changes while it runs. */
export type LabHardware = {
  readonly name: string;
  readonly vendor: string;
  readonly model: string;
  readonly serialNumber: string;
  readonly uuid: string;
  readonly biosVersion: string;
  readonly bmcVersion: string;
  readonly bmcMac: string;
  readonly processors: readonly LabProcessor[];
  readonly memory: readonly LabMemory[];
  readonly disks: readonly LabDisk[];
  readonly nics: readonly LabNic[];
};

export type LabSensor = {
  readonly name: string;
  readonly kind: 'temperature' | 'fan' | 'voltage' | 'power';
  /** Cel, {rev}/min, V or W. */
  readonly value: number;
  readonly upperCritical: number;
};

export type LabLogEntry = {
  /** From 1, growing. */
  readonly id: number;
  readonly at: Date;
  readonly severity: 'ok' | 'warning' | 'critical';
  readonly message: string;
};

export type LabAccount = {
  /** Place from 2 to 16, as IPMI counts its users. */
  readonly slot: number;
  readonly user: string;
  readonly password: string;
  readonly enabled: boolean;
  readonly privilege: 'administrator' | 'operator' | 'read_only';
};

/** The serial line; any number may listen, whoever writes is heard. */
export type LabSerial = {
  /** Calls for each piece of output until the function that it answers is called. */
  readonly listen: (heard: (bytes: Uint8Array) => void) => () => void;
  readonly write: (bytes: Uint8Array) => void;
};

export type LabServer = {
  readonly hardware: LabHardware;
  readonly power: () => LabPower;
  /**
   * Resolves when it was begun; `power` tells when it is done. What is already so is done. Throws
   * failed_precondition SERVER_OFF for resets and nmi of a server that is off.
   */
  readonly changePower: (change: LabPowerChange) => Promise<void>;
  readonly boot: () => LabBoot;
  readonly setBoot: (boot: LabBoot) => void;
  /** URL in the virtual drive; undefined = empty. */
  readonly media: () => string | undefined;
  readonly setMedia: (url: string | undefined) => void;
  readonly bios: () => ReadonlyMap<string, string | number | boolean>;
  /** Wanted from the next boot on. */
  readonly setBios: (attributes: ReadonlyMap<string, string | number | boolean>) => void;
  readonly pendingBios: () => ReadonlyMap<string, string | number | boolean>;
  readonly indicator: () => boolean;
  readonly setIndicator: (lit: boolean) => void;
  readonly sensors: () => readonly LabSensor[];
  readonly log: () => readonly LabLogEntry[];
  readonly addLog: (entry: Omit<LabLogEntry, 'id' | 'at'>) => void;
  readonly clearLog: () => void;
  readonly accounts: () => readonly LabAccount[];
  /** Replaces what is at that slot. */
  readonly putAccount: (account: LabAccount) => void;
  readonly removeAccount: (slot: number) => void;
  readonly serial: LabSerial;
  /** Called after anything of it changed, until the function that it answers is called. */
  readonly onChange: (changed: () => void) => () => void;
  /** Lets go of what is behind it, which runs on where it can. */
  readonly close: () => Promise<void>;
};

/** One start of a server. A reset is another one. */
export type LabMachineBoot = {
  /** Grows with each start of this server. */
  readonly count: number;
  readonly device: Exclude<LabBootDevice, 'none'>;
  readonly mode: 'uefi' | 'legacy';
  /** URL in the virtual drive; undefined = empty. */
  readonly media: string | undefined;
};

/** How a boot ended that nobody at the controller ended. Lost: it is gone, who knows why. */
export type LabExit = 'off' | 'reset' | 'lost';

/** What is behind the controller: really powers something. */
export type LabMachine = {
  /**
   * Brings it into that boot: another one is ended first, this one is left alone where it runs
   * already, also when an earlier process of the lab started it. One that is over by now is told by
   * `onExit`. Throws what hinders it.
   */
  readonly start: (boot: LabMachineBoot) => Promise<void>;
  /** Resolves when it is off. Off is already so. */
  readonly kill: () => Promise<void>;
  /** Asks its operating system (ACPI), which may not hear it. */
  readonly askPowerOff: () => Promise<void>;
  /** Its disks are as new. Only called while it is off. */
  readonly wipe: () => Promise<void>;
  /** Non-maskable interrupt. */
  readonly interrupt: () => Promise<void>;
  /** Calls when the boot of that count ended by itself. One listener. */
  readonly onExit: (exited: (count: number, how: LabExit) => void) => void;
  readonly serial: LabSerial;
  /** Lets go of what runs: it runs on where it can. */
  readonly close: () => Promise<void>;
};

/** Faults that can be asked for, by the name of `runm lab fault`. */
export type LabFault =
  | 'slow'
  | 'lie'
  | 'hang'
  | '503'
  | 'lost-write'
  | 'wrong-state'
  | 'flap'
  | 'html';

/** What the protocol in front is to do wrong now; undefined = nothing. */
export type LabFaults = {
  readonly current: () => LabFault | undefined;
};
