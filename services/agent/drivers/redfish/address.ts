import { isIPv6 } from 'node:net';
import { BmcError } from '../../bmc-port.ts';

export type RedfishAddress = {
  /** Scheme, host and port, without a slash at its end. */
  readonly origin: string;
  /** Link of one computer system, where the controller has several; empty = its only one. */
  readonly systemLink: string;
};

/**
 * A host, a host with a port, or a URL; https unless the URL says http, since credentials are
 * sent. A path below the service root names one system: `https://bmc/redfish/v1/Systems/2`.
 */
export const parseAddress = (address: string, provider: string): RedfishAddress => {
  const text = address.trim();
  const wrong = (why: string) =>
    new BmcError(
      'protocol',
      `BMC address of provider "${provider}" ${why}: "${withoutUser(text)}"`,
    );
  if (text === '') throw wrong('is empty');
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const url = parseUrl(hasScheme ? text : `https://${isIPv6(text) ? `[${text}]` : text}`);
  if (url === undefined) throw wrong('is neither a host nor a URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw wrong('is no http or https URL');
  if (url.username !== '' || url.password !== '') {
    throw wrong('holds credentials, which belong into a secret');
  }
  if (url.search !== '' || url.hash !== '') throw wrong('has a query or a fragment');
  const path = url.pathname.replace(/\/+$/, '');
  const isRoot = path === '' || path === '/redfish' || path === '/redfish/v1';
  if (!isRoot && !path.startsWith('/redfish/v1/')) throw wrong('has a path outside /redfish/v1');
  return { origin: url.origin, systemLink: isRoot ? '' : path };
};

const parseUrl = (text: string): URL | undefined =>
  URL.canParse(text) ? new URL(text) : undefined;

const withoutUser = (text: string): string => text.replace(/\/\/[^/@]*@/, '//');
