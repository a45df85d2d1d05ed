/** How a virtual controller behaves where makes differ. All absent: as the specification says. */
export type Personality = {
  readonly vendor?: string;
  readonly product?: string;
  readonly managerModel?: string;
  readonly model?: string;
  readonly firmware?: string;
  /** Members of one page of a collection; 0 or absent = all. */
  readonly pageSize?: number;
  /** Whether $expand is offered; true where absent. */
  readonly expand?: boolean;
  /** Accounts are fixed places that are changed by PATCH. */
  readonly accountSlots?: 'fixed';
  /** `required`: 428 without If-Match. `weak`: sent as W/"…", taken back without W/ only. */
  readonly etags?: 'required' | 'weak';
  /** Leaves out which reset types it takes. `info` tells them by ActionInfo. */
  readonly resetTypes?: 'unsaid' | 'info';
  /** Takes ForceOff and On only, as some VM gateways and old firmware do. */
  readonly noSoftOff?: 'push-button' | 'none';
  /** Where the virtual drive is. */
  readonly mediaAt?: 'manager' | 'system';
  /** `patch`: no actions, Image is written. */
  readonly mediaBy?: 'action' | 'patch';
  /** Properties of InsertMedia that it insists on. */
  readonly mediaNeeds?: readonly string[];
  /** Name of the virtual drive as boot target; Cd where absent. */
  readonly cdromTarget?: string;
  /** Falls back to Legacy where the mode is not said with an override. */
  readonly forgetsBootMode?: boolean;
  /** Only the deprecated Thermal and Power, not the subsystems. */
  readonly sensors?: 'old' | 'new';
  /** Only IndicatorLED, not LocationIndicatorActive. */
  readonly indicator?: 'old';
  /** Sessions cannot be made. */
  readonly sessions?: 'none';
  /** Resets are tasks: 202 with a monitor. */
  readonly resetByTask?: boolean;
  /** Lists a second system that is a part of the machine. */
  readonly partialSystem?: string;
};
