/**
 * What the agent asks of a management controller, aspect by aspect. Each aspect is a small
 * interface of its own; a driver implements those that the controller really offers and says of
 * the others why it does not. Drivers know nothing of the control plane. Every call ends by its
 * signal at the latest, and throws only BmcError. A write is read back before it answers.
 */

/** What went wrong, by what is to be done about it. */
export type BmcFault =
  /** Nothing answers there: address, cable, network. */
  | 'unreachable'
  /** It answered too late, or not to the end. Whether a write took effect is unknown. */
  | 'timeout'
  /** User or password is wrong. Never tried again by itself: accounts lock. */
  | 'unauthorized'
  /** The certificate is neither the one that was given nor the one that was pinned. */
  | 'certificate'
  /** It does not offer this. */
  | 'unsupported'
  /** It understood and said no; its own words are in the message. */
  | 'refused'
  /** It is at its limit (503, all sessions taken); later it may do it. */
  | 'busy'
  /** What it says is not what its protocol allows. */
  | 'protocol'
  /** It said yes, and what is read afterwards is something else. */
  | 'not_applied';

export class BmcError extends Error {
  readonly fault: BmcFault;
  /** What the controller itself said, sentence by sentence. Empty: nothing. */
  readonly said: readonly string[];

  constructor(fault: BmcFault, message: string, said: readonly string[] = [], cause?: unknown) {
    super(message, { cause });
    this.name = 'BmcError';
    this.fault = fault;
    this.said = said;
  }
}

export type BmcCredentials = { readonly user: string; readonly password: string };

export type BmcAddress = {
  /** Host name or IP address, with ":port" where it is not the protocol's own; or a URL. */
  readonly address: string;
  /** Partition-wide name of the provider, for messages. */
  readonly provider: string;
  /**
   * SHA-256 of the certificate (DER, lower-case hexadecimal) that it must show; empty = none is
   * known: the one that is seen first is told by `certificate` and to be pinned by the caller.
   */
  readonly certificateSha256: string;
};

export type PowerReading = 'on' | 'off' | 'turning_on' | 'turning_off' | 'unknown';

/** soft_off asks the operating system and never forces. cycle turns an off machine on. */
export type PowerChange = 'on' | 'off' | 'soft_off' | 'reset' | 'cycle';

export type PowerAspect = {
  readonly read: (signal: AbortSignal) => Promise<PowerReading>;
  /**
   * Answers when the controller has taken it; with on and off when it was also seen, with the
   * others when the controller has confirmed it. On and off are safe to repeat.
   */
  readonly change: (change: PowerChange, signal: AbortSignal) => Promise<void>;
};

export type BootDevice = 'none' | 'network' | 'disk' | 'cdrom' | 'setup';

export type BootChoice = {
  readonly device: BootDevice;
  /** False: for the next boot only. */
  readonly persistent: boolean;
  /** Undefined = as the machine is set up. */
  readonly mode?: 'uefi' | 'legacy';
};

export type BootDeviceAspect = {
  readonly read: (signal: AbortSignal) => Promise<BootChoice>;
  readonly set: (choice: BootChoice, signal: AbortSignal) => Promise<void>;
};

export type MediaAspect = {
  /** URL of what is inserted; undefined = nothing. */
  readonly read: (signal: AbortSignal) => Promise<string | undefined>;
  readonly insert: (url: string, signal: AbortSignal) => Promise<void>;
  readonly eject: (signal: AbortSignal) => Promise<void>;
};

export type SensorReading = {
  readonly name: string;
  readonly kind: 'temperature' | 'fan' | 'voltage' | 'current' | 'power' | 'other';
  /** Undefined = it cannot be read now. */
  readonly value?: number;
  /** UCUM: "Cel", "{rev}/min", "V", "A", "W", "%". Empty: a state, not an amount. */
  readonly unit: string;
  readonly health: 'ok' | 'warning' | 'critical' | 'unknown';
};

export type SensorAspect = {
  readonly read: (signal: AbortSignal) => Promise<readonly SensorReading[]>;
};

export type LogEntry = {
  /** Of the controller; unique in its log. */
  readonly id: string;
  /** Undefined = it has no clock. */
  readonly at?: Date;
  readonly severity: 'ok' | 'warning' | 'critical';
  readonly message: string;
};

export type LogAspect = {
  /** The newest, oldest of them first. */
  readonly read: (newest: number, signal: AbortSignal) => Promise<readonly LogEntry[]>;
  readonly clear: (signal: AbortSignal) => Promise<void>;
};

export type FirmwareFact = { readonly component: string; readonly version: string };
export type NicFact = {
  readonly label: string;
  /** Lower case with colons. */
  readonly mac: string;
  /** 0 = unknown. */
  readonly speedBitsPerSecond: number;
  readonly bmc: boolean;
};
export type DiskFact = {
  readonly label: string;
  readonly model: string;
  readonly serialNumber: string;
  readonly sizeBytes: number;
  readonly kind: 'hdd' | 'ssd' | 'nvme' | 'unknown';
};

/** What the hardware says of itself; an empty text or list and 0 = it does not say. */
export type HardwareFacts = {
  readonly vendor: string;
  readonly model: string;
  readonly serialNumber: string;
  /** Lower case; empty also where it is all zeros, all ones or a known placeholder. */
  readonly smbiosUuid: string;
  readonly architecture: string;
  readonly cpuModel: string;
  readonly cpuSockets: number;
  readonly cpuThreads: number;
  readonly memoryBytes: number;
  readonly disks: readonly DiskFact[];
  readonly nics: readonly NicFact[];
  readonly firmware: readonly FirmwareFact[];
};

export type FactsAspect = {
  readonly read: (signal: AbortSignal) => Promise<HardwareFacts>;
};

export type BiosAspect = {
  readonly read: (signal: AbortSignal) => Promise<ReadonlyMap<string, string | number | boolean>>;
  /** Takes effect at the next boot. */
  readonly set: (
    attributes: ReadonlyMap<string, string | number | boolean>,
    signal: AbortSignal,
  ) => Promise<void>;
};

export type IndicatorAspect = {
  readonly read: (signal: AbortSignal) => Promise<boolean>;
  readonly set: (lit: boolean, signal: AbortSignal) => Promise<void>;
};

export type Account = {
  /** Place at the controller: a slot number or a link. */
  readonly id: string;
  readonly user: string;
  readonly enabled: boolean;
  readonly privilege: 'administrator' | 'operator' | 'read_only' | 'none';
};

export type AccountAspect = {
  readonly list: (signal: AbortSignal) => Promise<readonly Account[]>;
  /** Creates the user or replaces its password; it may administer and is enabled afterwards. */
  readonly put: (credentials: BmcCredentials, signal: AbortSignal) => Promise<void>;
  /** Removes or disables it. Of one that is not there: nothing. */
  readonly remove: (user: string, signal: AbortSignal) => Promise<void>;
};

export type SerialStream = {
  readonly output: AsyncIterable<Uint8Array>;
  /** Resolves when the controller has taken it; at most one write is under way. */
  readonly write: (bytes: Uint8Array) => Promise<void>;
  /** Ends the session at the controller. Safe to repeat. */
  readonly close: () => Promise<void>;
};

export type ConsoleAspect = {
  /** Ends a session that an earlier process may have left, then opens one. */
  readonly open: (signal: AbortSignal) => Promise<SerialStream>;
};

/** A request in the controller's own protocol, for operators; the caller audits it. */
export type RawAspect = {
  /**
   * Redfish: "GET /redfish/v1/…" or "POST /… {json}". IPMI: "netfn command data…" in hexadecimal.
   * Answers what came back as text.
   */
  readonly send: (request: string, signal: AbortSignal) => Promise<string>;
};

export type Aspects = {
  readonly power: PowerAspect;
  readonly bootDevice: BootDeviceAspect;
  readonly media: MediaAspect;
  readonly sensors: SensorAspect;
  readonly log: LogAspect;
  readonly facts: FactsAspect;
  readonly bios: BiosAspect;
  readonly indicator: IndicatorAspect;
  readonly accounts: AccountAspect;
  readonly console: ConsoleAspect;
  readonly raw: RawAspect;
};
export type AspectName = keyof Aspects;

/** "Not supported" is an honest answer, with the reason for a person. */
export type Offer<T> =
  | { readonly kind: 'offered'; readonly aspect: T /** How, for a person. */; readonly how: string }
  | { readonly kind: 'not_offered'; readonly why: string };

export type Offers = { readonly [Name in AspectName]: Offer<Aspects[Name]> };

/** A session with one controller, after it was asked what it offers. One call at a time. */
export type Bmc = {
  readonly driver: 'redfish' | 'ipmi';
  readonly vendor: string;
  readonly model: string;
  /** Version of the controller's own firmware. Empty: it does not say. */
  readonly firmware: string;
  /** SHA-256 of the certificate that it showed; empty: the protocol has none. */
  readonly certificateSha256: string;
  /** Names of the quirks that apply, in order. */
  readonly quirks: readonly string[];
  readonly offers: Offers;
  /** Ends the session at the controller, within the signal. Never throws. */
  readonly close: (signal: AbortSignal) => Promise<void>;
};

export type BmcDriver = {
  readonly name: 'redfish' | 'ipmi';
  /** Reaches it, signs in once, asks only by reading what it offers. */
  readonly open: (
    address: BmcAddress,
    credentials: BmcCredentials,
    signal: AbortSignal,
  ) => Promise<Bmc>;
};
