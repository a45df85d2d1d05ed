import type { Clock } from '../../runtime/clock.ts';
import { type AspectName, type Aspects, type Bmc, BmcError } from '../bmc-port.ts';
import type { BmcSessions, OpenBmc } from './bmc-sessions.ts';
import type { ControllerRef, DriverName } from './controller-ref.ts';

/**
 * Which driver serves which aspect of one controller: Redfish first unless the record says IPMI,
 * and IPMI at the same host for what Redfish does not offer there. Where Redfish is known to be
 * spoken and fails, that is told: IPMI knows less, and nobody would see why.
 */
export type BmcAccess = {
  /** Errors: BmcError unsupported with what each driver says. */
  readonly aspect: <Name extends AspectName>(name: Name) => Promise<ServedAspect<Name>>;
  readonly session: (driver: DriverName) => Promise<OpenBmc>;
  readonly drivers: readonly DriverName[];
  /** Certificate that was shown; empty: none was. */
  readonly certificateSha256: () => string;
  /** Whether a session was in use that had been open before. */
  readonly wasUsed: () => boolean;
  readonly dropUsed: () => Promise<void>;
  readonly release: () => void;
};

export type ServedAspect<Name extends AspectName> = {
  readonly verbs: Aspects[Name];
  readonly bmc: Bmc;
  readonly driver: DriverName;
  readonly how: string;
};

/** What is remembered of a controller between two turns. */
export type AspectChoice = {
  /** Nothing spoke Redfish there; until then it is tried after the others. Monotonic. */
  redfishAbsentUntilMs: number;
};

type Deps = { readonly sessions: BmcSessions; readonly clock: Clock };
type Setting = {
  readonly ref: ControllerRef;
  readonly choice: AspectChoice;
  readonly signal: AbortSignal;
};

const ABSENT_MS = 600_000;

export const createAccess = (deps: Deps, { ref, choice, signal }: Setting): BmcAccess => {
  const opened = new Map<DriverName, OpenBmc>();
  const session = async (driver: DriverName): Promise<OpenBmc> => {
    const present = opened.get(driver);
    if (present) return present;
    const open = await deps.sessions.open(ref, driver, signal);
    opened.set(driver, open);
    return open;
  };
  const isAbsent = (driver: DriverName): boolean =>
    driver === 'redfish' &&
    !ref.speaksRedfish &&
    deps.clock.monotonicMs() < choice.redfishAbsentUntilMs;
  /** What was not there a while ago comes last: only it may have what nobody else offers. */
  const inOrder = (): readonly DriverName[] =>
    ref.drivers
      .filter((driver) => deps.sessions.has(driver))
      .toSorted((a, b) => Number(isAbsent(a)) - Number(isAbsent(b)));
  return {
    session,
    drivers: ref.drivers,
    aspect: async (name) => {
      const refusals: BmcError[] = [];
      for (const driver of inOrder()) {
        const open = await session(driver).catch((error: unknown) => error);
        if (!isOpen(open)) {
          if (!(open instanceof BmcError) || !mayPassOver(ref, name, open)) throw open;
          refusals.push(open);
          continue;
        }
        if (driver === 'redfish') choice.redfishAbsentUntilMs = 0;
        const offer = open.bmc.offers[name];
        if (offer.kind === 'offered') {
          const wasAbsent = refusals.some((one) => one.fault === 'unreachable');
          if (driver === 'ipmi' && wasAbsent && !ref.speaksRedfish) {
            choice.redfishAbsentUntilMs = deps.clock.monotonicMs() + ABSENT_MS;
          }
          return { verbs: offer.aspect, bmc: open.bmc, driver, how: offer.how };
        }
        refusals.push(new BmcError('unsupported', `${driver}: ${offer.why}`));
      }
      throw notServed(ref, name, refusals);
    },
    certificateSha256: () =>
      [...opened.values()].map(({ bmc }) => bmc.certificateSha256).find((one) => one !== '') ?? '',
    wasUsed: () => [...opened.values()].some((one) => one.isUsed),
    dropUsed: async () => {
      await Promise.all([...opened.keys()].map((driver) => deps.sessions.drop(ref, driver)));
    },
    release: () => {
      for (const one of opened.values()) one.release();
      opened.clear();
    },
  };
};

const isOpen = (open: unknown): open is OpenBmc =>
  typeof open === 'object' && open !== null && 'bmc' in open;

const ABSENT: ReadonlySet<BmcError['fault']> = new Set(['unreachable', 'unsupported', 'protocol']);
const NEVER_BY_REDFISH: ReadonlySet<AspectName> = new Set(['console']);

/**
 * Whether IPMI is asked for the aspect where Redfish failed: only where it is not there, never
 * where it said no or showed another certificate.
 */
export const mayPassOver = (
  { speaksRedfish }: Pick<ControllerRef, 'speaksRedfish'>,
  name: AspectName,
  { fault }: BmcError,
): boolean => ABSENT.has(fault) && (!speaksRedfish || NEVER_BY_REDFISH.has(name));

/** What hinders most comes first: where nothing answers, what is offered is not known. */
const notServed = (
  ref: ControllerRef,
  name: AspectName,
  refusals: readonly BmcError[],
): BmcError => {
  const [first] = refusals.filter((one) => one.fault !== 'unsupported');
  const text = refusals.map(({ message }) => message).join('; ');
  if (first !== undefined && refusals.every((one) => one.fault !== 'unsupported')) {
    return new BmcError(first.fault, text, first.said, first);
  }
  return new BmcError('unsupported', `The BMC of "${ref.provider}" offers no ${name}: ${text}`);
};
