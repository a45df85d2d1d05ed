import { create, toBinary } from '@bufbuild/protobuf';
import {
  type BmcScan,
  type BmcScanResult,
  BmcScanResultSchema,
  type FoundController,
  FoundControllerSchema,
} from '../../../gen/runmachine/agent/v1/bmc_pb.ts';
import {
  BmcType,
  type Facts,
  FactsSchema,
} from '../../../gen/runmachine/inventory/v1/provider_hardware_pb.ts';
import type { BmcDriver } from '../bmc-port.ts';
import { type ScanTarget, scanTargets } from '../domain/scan-range.ts';
import { ipmiAnswers } from '../drivers/presence/ipmi-presence.ts';
import { redfishAnswers } from '../drivers/presence/redfish-presence.ts';
import { factsMessage } from './answer-message.ts';
import { controllerKey, type DriverName } from './controller-ref.ts';
import type { Credentials } from './credentials.ts';
import { failureOf } from './order-failure.ts';

type Deps = { readonly drivers: readonly BmcDriver[]; readonly credentials: Credentials };

const AT_ONCE = 64;
const PRESENCE_MS = 3_000;
const SIGN_IN_MS = 60_000;
const CLOSE_MS = 5_000;
const PROBLEM_MAX = 1_024;
/** What an answer may hold, so that it passes as one message with room to spare. */
const FACTS_BYTES_MAX = 1024 ** 2;

/**
 * Looks for controllers, with one sign-in at each that answers. When the limit passes it answers
 * what was found until then and how many addresses that were.
 */
export const scan = async (
  deps: Deps,
  { ranges, secret }: BmcScan,
  { signal, limit }: { readonly signal: AbortSignal; readonly limit: AbortSignal },
): Promise<BmcScanResult> => {
  const targets = scanTargets(ranges);
  const found = new Array<FoundController | undefined>(targets.length);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < targets.length && !limit.aborted) {
      signal.throwIfAborted();
      const at = next;
      next += 1;
      const target = targets[at];
      if (target) found[at] = await look(deps, { target, secret, signal });
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, targets.length) }, work));
  const controllers = found.filter((one) => one !== undefined);
  return create(BmcScanResultSchema, {
    controllers: shortened(controllers),
    tried: next,
  });
};

type Looking = {
  readonly target: ScanTarget;
  readonly secret: string;
  readonly signal: AbortSignal;
};

const look = async (
  deps: Deps,
  { target, secret, signal }: Looking,
): Promise<FoundController | undefined> => {
  const short = AbortSignal.any([signal, AbortSignal.timeout(PRESENCE_MS)]);
  const { host, port } = target;
  const [redfish, ipmi] = await Promise.all([
    redfishAnswers(host, port ?? 443, short),
    ipmiAnswers(host, port ?? 623, short),
  ]);
  if (redfish === undefined && !ipmi) return undefined;
  const found = create(FoundControllerSchema, {
    type: redfish === undefined ? BmcType.IPMI : BmcType.REDFISH,
    address: port === undefined ? host : `${host}:${port}`,
    certificateSha256: redfish?.certificateSha256 ?? '',
  });
  if (secret === '') return found;
  const driver = redfish === undefined ? 'ipmi' : 'redfish';
  return { ...found, ...(await readFacts(deps, { found, driver, secret, signal })) };
};

type Reading = {
  readonly found: FoundController;
  readonly driver: DriverName;
  readonly secret: string;
  readonly signal: AbortSignal;
};

const readFacts = async (
  deps: Deps,
  { found, driver: name, secret, signal: outer }: Reading,
): Promise<{ readonly facts?: Facts; readonly problem: string }> => {
  const driver = deps.drivers.find((one) => one.name === name);
  if (!driver) return { problem: `this agent speaks no ${name}` };
  const { address, certificateSha256 } = found;
  // As that of the provider that it becomes: what is refused here is not tried again there.
  const ref = { key: controllerKey(address, ''), secret, provider: address, driver: name };
  const signal = AbortSignal.any([outer, AbortSignal.timeout(SIGN_IN_MS)]);
  try {
    const attempt = (credentials: Parameters<typeof driver.open>[1]) =>
      driver.open({ address, provider: address, certificateSha256 }, credentials, signal);
    const { value: bmc } = await deps.credentials.signIn(ref, attempt, signal);
    try {
      const offer = bmc.offers.facts;
      if (offer.kind === 'not_offered') return { problem: offer.why };
      return { facts: factsMessage(await offer.aspect.read(signal)), problem: '' };
    } finally {
      await bmc.close(AbortSignal.timeout(CLOSE_MS));
    }
  } catch (error) {
    outer.throwIfAborted();
    return { problem: failureOf(error).message.slice(0, PROBLEM_MAX) };
  }
};

/** Of many controllers the later ones keep what tells them apart; the rest is read at enrolment. */
const shortened = (controllers: readonly FoundController[]): FoundController[] => {
  let bytes = 0;
  return controllers.map((one) => {
    if (one.facts === undefined) return one;
    bytes += toBinary(FactsSchema, one.facts).length;
    if (bytes <= FACTS_BYTES_MAX) return one;
    const { serialNumber, smbiosUuid, vendor, model } = one.facts;
    const facts = create(FactsSchema, { serialNumber, smbiosUuid, vendor, model });
    return { ...one, facts };
  });
};
