import type { ControllerRef } from './controller-ref.ts';

type Addresses = Pick<ControllerRef, 'address' | 'ipmiAddress'>;

const HIDDEN = '(address)';
/** Shorter ones would be found in the midst of words. */
const NAME_MIN = 3;

/**
 * A text for those who must not learn where the controller is: reports that are shared, and what a
 * tenant reads of his server. Also without other hosts, to which a controller may lead, and in any
 * case of letters: drivers name a host as URLs do.
 */
export const shareable = ({ address, ipmiAddress }: Addresses, text: string): string =>
  [address, ipmiAddress]
    .flatMap((one) => [one, one.replace(SCHEME, ''), hostPart(one)])
    .filter((one) => one.length >= NAME_MIN)
    .toSorted((a, b) => b.length - a.length)
    .reduce(
      (masked, name) => masked.replaceAll(new RegExp(literal(name), 'gi'), HIDDEN),
      text.replaceAll(ANY_HOST, HIDDEN),
    );

const SCHEME = /^[a-z+]+:\/\//i;
const ANY_HOST = /\b(?:https?|ipmi):\/\/[^\s/"',;)]+/gi;

const hostPart = (address: string): string =>
  address.replace(SCHEME, '').replace(/\/.*$/, '').replace(/:\d+$/, '');

const literal = (text: string): string => text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&');
