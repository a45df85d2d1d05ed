/** Controllers of a bench: so many in one process, each answer after a delay. */
import { type Fleet, startFleet } from '../../../deploy/lab/fleet.ts';
import { systemClock } from '../../../services/runtime/clock.ts';
import { systemRandom } from '../../../services/runtime/random.ts';
import { serveParent } from '../serve-parent.ts';

export type FleetAsked = {
  readonly count: number;
  readonly latencyMs: number;
  readonly user: string;
  readonly password: string;
  /** Whether they speak IPMI beside Redfish. */
  readonly isIpmi?: boolean;
};

/** Where each controller listens; `ipmi` is empty where none speaks it. */
export type FleetBegun = { readonly redfish: readonly string[]; readonly ipmi: readonly string[] };

let fleet: Fleet | undefined;

const begin = async (asked: FleetAsked): Promise<FleetBegun> => {
  const { count, latencyMs, isIpmi = false, user, password } = asked;
  const begun = await startFleet(
    {
      ...{ count, latencyMs, jitterMs: 0, seed: 1, faults: new Map() },
      ...{ credentials: { user, password }, redfishPort: 0, ipmiPort: isIpmi ? 0 : undefined },
    },
    { clock: systemClock, random: systemRandom },
  );
  // What is made at the first call of each is not the sweep's.
  for (let index = 0; index < count; index += 1) begun.bmcOf(index);
  fleet = begun;
  const all = Array.from({ length: count }, (_, index) => index);
  return {
    redfish: all.map(begun.redfishOf),
    ipmi: all.flatMap((index) => begun.ipmiOf(index) ?? []),
  };
};

const powerOn = ({ index }: { readonly index: number }): Promise<unknown> | undefined =>
  fleet?.bmcOf(index).server.changePower('on');

serveParent({
  begin,
  powerOn,
  requests: () => fleet?.requests() ?? 0,
  memoryBytes: () => process.memoryUsage().rss,
});
