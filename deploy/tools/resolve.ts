import type { Dependency, Package } from './deb-control.ts';
import { fulfils } from './deb-version.ts';

/**
 * Works out which packages must be unpacked beside the system so that a program runs. This is not
 * apt's solver on purpose: apt would pull in maintainer-script helpers, an initramfs builder for a
 * kernel and upgrades of installed packages, none of which an unpacked tree needs.
 */

/** Candidates by name: what `apt-cache show --no-all-versions` answered. */
export type PackageIndex = ReadonlyMap<string, Package>;

export type ResolveInput = {
  /** Alternatives in order of preference; the first one that has a candidate is taken. */
  readonly wanted: readonly string[];
  readonly candidates: PackageIndex;
  readonly installed: readonly Package[];
  /** Only dependencies whose name matches are followed; used for kernels. Absent: all. */
  readonly follow?: RegExp;
};

export type Resolution =
  | { readonly kind: 'resolved'; readonly packages: readonly Package[] }
  | { readonly kind: 'unresolved'; readonly reason: string };

/** The C library cannot be swapped by LD_LIBRARY_PATH; the rest only serves maintainer scripts. */
const NEVER_UNPACKED = new Set([
  ...['libc6', 'libc-bin', 'dpkg', 'perl', 'perl-base', 'passwd', 'login', 'adduser', 'ucf'],
  ...['debconf', 'debconf-2.0', 'cdebconf', 'init-system-helpers', 'lsb-base', 'sysvinit-utils'],
  ...['systemd', 'systemd-sysv', 'udev', 'dbus', 'dbus-user-session', 'dconf-gsettings-backend'],
  ...['locales', 'ssl-cert', 'postgresql-common', 'postgresql-client-common', 'acl', 'kmod'],
  ...['initramfs-tools', 'linux-base', 'xdg-utils', 'libpam-systemd', 'gsettings-backend'],
  ...['x11-common', 'snapd', 'install-info'],
]);

/**
 * The packages to unpack for one tool, dependencies included; empty when all of it is installed.
 */
export const resolve = (input: ResolveInput): Resolution => {
  const first = input.wanted.find((name) => input.candidates.has(name));
  const root = first === undefined ? undefined : input.candidates.get(first);
  if (root === undefined) {
    return { kind: 'unresolved', reason: `no package named ${input.wanted.join(' or ')}` };
  }
  const system = provisionsOf(input.installed);
  const providers = provisionsOf([...input.candidates.values()]);
  const chosen = new Map<string, Package>([[root.name, root]]);
  const queue = [root];
  for (let current = queue.shift(); current !== undefined; current = queue.shift()) {
    for (const group of current.depends) {
      if (group.every((one) => !isFollowed(one, input.follow))) continue;
      if (group.some((one) => isProvided(one, system))) continue;
      if (group.some((one) => chosen.has(one.name))) continue;
      const next = chooseFrom(group, providers);
      if (next === undefined) {
        return { kind: 'unresolved', reason: `${current.name} depends on ${describe(group)}` };
      }
      if (chosen.has(next.name) || NEVER_UNPACKED.has(next.name)) continue;
      chosen.set(next.name, next);
      queue.push(next);
    }
  }
  return { kind: 'resolved', packages: [...chosen.values()] };
};

type Offer = { readonly version: string | undefined; readonly from: Package };

/** Who answers to a name: the package itself and whatever provides it. */
const provisionsOf = (packages: readonly Package[]): ReadonlyMap<string, readonly Offer[]> => {
  const offers = new Map<string, Offer[]>();
  const add = (name: string, offer: Offer): void => {
    const known = offers.get(name);
    if (known === undefined) offers.set(name, [offer]);
    else known.push(offer);
  };
  for (const from of packages) {
    add(from.name, { version: from.version, from });
    for (const one of from.provides) add(one.name, { version: one.constraint?.version, from });
  }
  return offers;
};

const isFollowed = (one: Dependency, follow: RegExp | undefined): boolean =>
  !NEVER_UNPACKED.has(one.name) && (follow === undefined || follow.test(one.name));

const isProvided = (one: Dependency, offers: ReadonlyMap<string, readonly Offer[]>): boolean =>
  (offers.get(one.name) ?? []).some((offer) => fits(one, offer));

/** A provision without a version fulfils no versioned dependency (Debian policy 7.5). */
const fits = (one: Dependency, offer: Offer): boolean => {
  if (one.constraint === undefined) return true;
  if (offer.version === undefined) return false;
  return fulfils(offer.version, one.constraint.relation, one.constraint.version);
};

const chooseFrom = (
  group: readonly Dependency[],
  offers: ReadonlyMap<string, readonly Offer[]>,
): Package | undefined => {
  for (const one of group) {
    const fitting = (offers.get(one.name) ?? []).filter((offer) => fits(one, offer));
    const real = fitting.find((offer) => offer.from.name === one.name) ?? fitting[0];
    if (real !== undefined) return real.from;
  }
  return undefined;
};

const describe = (group: readonly Dependency[]): string =>
  group
    .map((one) =>
      one.constraint === undefined
        ? one.name
        : `${one.name} (${one.constraint.relation} ${one.constraint.version})`,
    )
    .join(' | ');
