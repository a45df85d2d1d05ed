/**
 * What the agent asks of the drivers below it. Drivers know nothing of the control plane: they are
 * given files, numbers and a token, and answer what they see. drivers/qemu implements GuestDriver.
 */

export type GuestPower = 'on' | 'off' | 'paused';

/** Why a guest's process ended the last time. */
export type GuestExit =
  | { readonly kind: 'powered_off_by_guest' }
  | { readonly kind: 'reset_by_guest' }
  /** By a verb of ours: asked or forced. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'crashed'; readonly detail: string };

export type GuestStatus = {
  readonly power: GuestPower;
  /** Number of the boot that runs or ran last, as it was given to `start`. 0: never. */
  readonly bootCount: number;
  /** How the boot ended. Absent: it runs, or there was none. */
  readonly exit?: GuestExit;
  /** Forwards with the host ports that were chosen; empty before the first boot. */
  readonly forwards: readonly ForwardSpec[];
};

export type ForwardSpec = {
  readonly protocol: 'tcp' | 'udp';
  readonly hostAddress: string;
  /** 0 in an order: chosen by the driver and kept. */
  readonly hostPort: number;
  readonly guestPort: number;
};

export type BootFiles =
  | {
      readonly kind: 'kernel';
      readonly kernelPath: string;
      readonly initrdPath?: string;
      readonly commandLine: string;
    }
  | { readonly kind: 'disk'; readonly basePath: string; readonly format: 'qcow2' | 'raw' }
  | { readonly kind: 'media'; readonly isoPath: string }
  | { readonly kind: 'network' }
  | { readonly kind: 'none' };

export type GuestOrder = {
  readonly uid: string;
  /** Short name for people (process title, host name of the guest). */
  readonly hostname: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  /** Root disk; 0 is none, or the size of the base disk. */
  readonly diskBytes: number;
  readonly boot: BootFiles;
  readonly forwards: readonly ForwardSpec[];
  /** Number of this boot; kept by the driver and told again by `status`. */
  readonly bootCount: number;
  /** One-time secret of this boot; reaches the guest, never argv or a log. */
  readonly bootToken: string;
  /**
   * Where the guest posts its token, without the token, for example
   * "http://10.0.2.2:7445/phone-home".
   */
  readonly phoneHomeUrl: string;
};

export type GuestEvent =
  | {
      readonly kind: 'kernel_started';
      readonly uid: string;
      readonly bootCount: number;
      readonly at: Date;
    }
  | { readonly kind: 'changed'; readonly uid: string };

export type GuestConsole = {
  readonly readOnly: boolean;
  readonly truncated: boolean;
  readonly output: AsyncIterable<GuestConsoleOutput>;
  readonly write: (bytes: Uint8Array) => void;
  readonly close: () => void;
};
export type GuestConsoleOutput =
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'taken_over'; readonly by: string }
  | { readonly kind: 'closed'; readonly why: string };

export type ConsoleOrder = {
  readonly uid: string;
  readonly readOnly: boolean;
  readonly replayBytes: number;
  /** Who asks; told to a writer who is taken over. */
  readonly by: string;
};

/**
 * Every verb is safe to repeat: starting what runs, stopping what is off and removing what is gone
 * do nothing.
 */
export type GuestDriver = {
  /** Starts a new process for this boot. Refused while one runs. */
  readonly start: (order: GuestOrder, signal: AbortSignal) => Promise<void>;
  /** Asks the guest to power off (ACPI); answers when it was asked, not when it is off. */
  readonly askPowerOff: (uid: string, signal: AbortSignal) => Promise<void>;
  /** Ends the process at once and waits until it is gone. */
  readonly kill: (uid: string, signal: AbortSignal) => Promise<void>;
  readonly pause: (uid: string, signal: AbortSignal) => Promise<void>;
  readonly resume: (uid: string, signal: AbortSignal) => Promise<void>;
  readonly status: (uid: string, signal: AbortSignal) => Promise<GuestStatus>;
  /**
   * Uids of all guests that exist here, running or not; running ones of an earlier process are
   * adopted first.
   */
  readonly list: (signal: AbortSignal) => Promise<readonly string[]>;
  /** Ends it and deletes its files, from any partial state. */
  readonly remove: (uid: string, signal: AbortSignal) => Promise<void>;
  /** Called for each event; must not throw. */
  readonly onEvent: (listener: (event: GuestEvent) => void) => void;
  readonly openConsole: (order: ConsoleOrder, signal: AbortSignal) => Promise<GuestConsole>;
  readonly readLog: (
    uid: string,
    tailBytes: number,
  ) => Promise<{ readonly bytes: Uint8Array; readonly truncated: boolean }>;
  /**
   * Asks all guests to power off and forces what is left after the limit. What is wanted does not
   * change.
   */
  readonly stopAll: (limitMs: number) => Promise<void>;
  /** Lets go of all guests; they go on running. */
  readonly close: () => Promise<void>;
};
