/**
 * Which service may act for a caller (`runm-on-behalf-of`). A service that is not named here speaks
 * only for itself: its header is refused, not ignored, so that a mistake shows.
 */
export type ServicePolicy = {
  /** True when the named service ("machine") may state on whose behalf it calls. */
  readonly mayActForCallers: (service: string) => boolean;
};

const ACTING: ReadonlySet<string> = new Set([
  'inventory',
  'metadata',
  'scheduler',
  'machine',
  'network',
  'fleet',
  'console',
]);

export const servicePolicy: ServicePolicy = {
  mayActForCallers: (service) => ACTING.has(service),
};

/**
 * A policy over another set of services, for tests and for installations with services of their
 * own.
 */
export const servicePolicyOf = (services: ReadonlySet<string>): ServicePolicy => ({
  mayActForCallers: (service) => services.has(service),
});
