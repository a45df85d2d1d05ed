import { BmcError, type Offer, type RawAspect } from '../../bmc-port.ts';
import type { Call } from './exchange.ts';
import type { Place } from './place.ts';

/** An operator's own request, sent as the user that the control plane has at the controller. */
export const offerRaw = ({ client }: Place): Offer<RawAspect> => {
  const send = async (request: string, signal: AbortSignal): Promise<string> => {
    const answer = await client.send(callIn(request), signal);
    return answer.text === '' ? String(answer.status) : `${answer.status}\n${answer.text}`;
  };
  return { kind: 'offered', aspect: { send }, how: 'Any request below /redfish' };
};

const METHODS = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'] as const;

const callIn = (request: string): Call => {
  const [, verb = '', link = '', text = ''] = /^\s*(\S+)\s+(\S+)\s*([\s\S]*)$/.exec(request) ?? [];
  const method = METHODS.find((one) => one === verb.toUpperCase());
  if (method === undefined) {
    throw wrong(`it begins with one of ${METHODS.join(', ')}, not "${verb}"`);
  }
  if (!/^\/redfish(?:\/|$)/.test(link)) throw wrong('its path begins with /redfish');
  if (text.trim() === '') return { method, link };
  if (method === 'GET') throw wrong('a GET has no body');
  try {
    return { method, link, body: JSON.parse(text) };
  } catch (cause) {
    throw new BmcError('refused', 'Cannot send the request: its body is no JSON', [], cause);
  }
};

const wrong = (why: string): BmcError =>
  new BmcError('refused', `Cannot send the request: ${why}. Form: GET /redfish/v1/… {json}`);
