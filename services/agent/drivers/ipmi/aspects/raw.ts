/** A request as hexadecimal numbers: network function, command, data. */
import { BmcError, type RawAspect } from '../../../bmc-port.ts';
import type { Asked } from '../session/session.ts';
import { completionText } from '../wire/completion-code.ts';
import type { Place } from './place.ts';

const BYTE = /^(?:0x)?[0-9a-f]{1,2}$/i;
const NETFN_MAX = 0x3e;
const DATA_BYTES_MAX = 200;

export const createRawAspect = ({ link }: Pick<Place, 'link'>): RawAspect => ({
  send: async (request, signal) => {
    const { code, data } = await link.ask(parseRaw(request), signal);
    const status = code === 0 ? '00' : completionText(code);
    return [status, ...[...data].map((byte) => byte.toString(16).padStart(2, '0'))].join(' ');
  },
});

/** Throws BmcError refused, which names what is wrong. */
export const parseRaw = (request: string): Asked => {
  const words = request.trim().split(/\s+/);
  const wrong = words.find((word) => !BYTE.test(word));
  if (wrong !== undefined) {
    throw new BmcError('refused', `"${wrong}" in the IPMI request is no hexadecimal byte`);
  }
  const [netFn, command, ...data] = words.map((word) => Number.parseInt(word, 16));
  if (netFn === undefined || command === undefined || data.length > DATA_BYTES_MAX) {
    const message = `An IPMI request is "netfn command data…", data up to ${DATA_BYTES_MAX} bytes`;
    throw new BmcError('refused', message);
  }
  if (netFn > NETFN_MAX || netFn % 2 !== 0) {
    throw new BmcError('refused', `Network function ${netFn} of the IPMI request is no request's`);
  }
  // Nobody knows what it does, so it is not repeated.
  return { netFn, command, data: Buffer.from(data), once: true };
};
