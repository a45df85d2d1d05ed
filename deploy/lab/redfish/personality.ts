/** How a virtual controller behaves where makes differ. All absent: as the specification says. */
export type Personality = {
  readonly product?: string;
  readonly managerModel?: string;
  /** Members of one page of a collection; 0 or absent = all. */
  readonly pageSize?: number;
  /** Whether $expand is offered; true where absent. */
  readonly expand?: boolean;
  /** Accounts are fixed places that are changed by PATCH. */
  readonly accountSlots?: 'fixed';
  /**
   * `enabled`: accounts cannot be disabled, and Enabled is refused. `flags`: that, and rights are
   * flags of the make's own instead of a role.
   */
  readonly accountsLack?: 'enabled' | 'flags';
  /** `required`: 428 without If-Match. `weak`: sent as W/"…", taken back without W/ only. */
  readonly etags?: 'required' | 'weak';
  /** Leaves out which reset types it takes. `info` tells them by ActionInfo. */
  readonly resetTypes?: 'unsaid' | 'info';
  /** Lacks GracefulShutdown and PowerCycle; with `none` also PushPowerButton. */
  readonly noSoftOff?: 'push-button' | 'none';
  /** Where the virtual drive is. */
  readonly mediaAt?: 'manager' | 'system';
  /** `patch`: no actions, Image is written. */
  readonly mediaBy?: 'action' | 'patch';
  /** Properties of InsertMedia that it insists on. */
  readonly mediaNeeds?: readonly string[];
  /** Properties that it refuses to be told with a medium. */
  readonly mediaRefuses?: readonly string[];
  /** Has both Cd and UsbCd as boot targets, and boots from its virtual drive by the latter only. */
  readonly cdrom?: 'usb';
  /** `forgotten`: Legacy where it is not said with an override. `read-only`: refused where said. */
  readonly bootMode?: 'forgotten' | 'read-only';
  /** An override is for good whatever is asked, and has no target None. */
  readonly bootOverride?: 'lasts';
  /** Boot is written at a settings resource (@Redfish.Settings). */
  readonly bootAt?: 'settings';
  /** Other virtual drives that come first and take nothing. */
  readonly otherDrives?: readonly string[];
  /** Name of the virtual drive that works; Cd1 where absent. */
  readonly drive?: string;
  /** Where the serial number is that an operating system sees; SerialNumber has another one. */
  readonly serialAt?: 'SKU';
  /** `all`: the inventory lists what it could go back to as well, told by its Id (iDRAC). */
  readonly firmware?: 'all';
  /** `decimal`: gigabytes were divided as if they had a thousand megabytes (iDRAC). */
  readonly memoryUnit?: 'decimal';
  /** Only the deprecated Thermal and Power, not the subsystems. */
  readonly sensors?: 'old' | 'new';
  /** Disks by SimpleStorage, interfaces by the adapters of the chassis, no memory summary. */
  readonly inventory?: 'old';
  /** Only IndicatorLED, not LocationIndicatorActive. */
  readonly indicator?: 'old';
  /** Sessions cannot be made. */
  readonly sessions?: 'none';
  /** BIOS settings wait as a task for the next boot, and only where it was said that they do. */
  readonly biosByTask?: boolean;
  /** Disks are in SmartStorage and not in Storage (iLO). */
  readonly disksAt?: 'smart-storage';
  /** BIOS settings wait until a job is made of them (iDRAC 7 and 8). */
  readonly biosByJob?: boolean;
  /** A log lists links to its entries instead of them. */
  readonly logEntries?: 'links';
  /** Resets are tasks: 202 with a monitor. */
  readonly resetByTask?: boolean;
  /** Id of a second system that is a part of the machine; it answers 503. */
  readonly partialSystem?: string;
};
