/**
 * What a controller says before anybody has signed in: whether it speaks RMCP+ at all and with
 * which cipher suites (IPMI 2.0 §22.13, §22.15). Both are asked in IPMI 1.5 headers.
 */
import type { Clock } from '../../../../runtime/clock.ts';
import { BmcError } from '../../../bmc-port.ts';
import { CIPHER_SUITES, type CipherSuite, decodeSuiteIds } from '../wire/cipher-suite.ts';
import { completionError, isPassing } from '../wire/completion-code.ts';
import { decodeResponse, encodeRequest, type IpmiRequest } from '../wire/message.ts';
import { decodePacket, encodePlain, encodeRmcpPlus, PAYLOAD } from '../wire/packet.ts';
import { decodeAsf, decodeRmcp, encodeAsf, encodeRmcp } from '../wire/rmcp.ts';
import { ask } from './ask.ts';
import type { Datagrams } from './datagrams.ts';

export type DiscoveryDeps = {
  readonly clock: Clock;
  readonly datagrams: Datagrams;
  readonly provider: string;
  /** Highest privilege that a session will be asked for. */
  readonly privilege: number;
  readonly signal: AbortSignal;
};

const NETFN_APP = 0x06;
const GET_AUTHENTICATION_CAPABILITIES = 0x38;
const GET_CIPHER_SUITES = 0x54;
/** The channel over which it is asked. */
const THIS_CHANNEL = 0x0e;
const EXTENDED = 0x80;
const RMCP_PLUS = 0x02;
const LIST_BY_SUITE = 0x80;
const BLOCK_BYTES = 16;
const BLOCKS_MAX = 64;

const CAPABILITIES_WAITS_MS = [1_000, 1_500, 2_000, 2_500];
/**
 * Several controllers never answer Get Channel Cipher Suites (ipmi_sim; older ones, for which
 * ipmitool waits ten seconds), so little is waited for it.
 */
const SUITES_WAITS_MS = [400, 600];
const PING_WAITS_MS = [500];

/** Throws unreachable when nothing answers, unsupported when it speaks IPMI 1.5 only. */
export const checkRmcpPlus = async (deps: DiscoveryDeps): Promise<void> => {
  const answer = await askPlain(deps, {
    request: {
      netFn: NETFN_APP,
      command: GET_AUTHENTICATION_CAPABILITIES,
      data: Buffer.from([EXTENDED | THIS_CHANNEL, deps.privilege]),
    },
    waitsMs: CAPABILITIES_WAITS_MS,
  });
  if (answer === undefined) {
    const { provider } = deps;
    if (!(await answersPing(deps))) {
      throw new BmcError('unreachable', `Nothing answers IPMI for provider "${provider}"`);
    }
    const message = `Controller of provider "${provider}" answers pings and no IPMI request`;
    throw new BmcError('timeout', message);
  }
  if (isPassing(answer.code)) {
    throw completionError(deps.provider, 'to tell how one signs in', answer.code);
  }
  const isExtended = ((answer.data[1] ?? 0) & EXTENDED) !== 0;
  const speaks = ((answer.data[3] ?? 0) & RMCP_PLUS) !== 0;
  if (answer.code === 0 && isExtended && speaks) return;
  throw new BmcError(
    'unsupported',
    `Controller of provider "${deps.provider}" speaks IPMI 1.5 only, whose sessions are readable`,
  );
};

/**
 * The suites to try, best first. A controller that does not list them is tried with each; one that
 * lists none of ours throws unsupported.
 */
export const suitesToTry = async (deps: DiscoveryDeps): Promise<readonly CipherSuite[]> => {
  const blocks: Buffer[] = [];
  for (let index = 0; index < BLOCKS_MAX; index += 1) {
    const answer = await askPlain(deps, {
      request: {
        netFn: NETFN_APP,
        command: GET_CIPHER_SUITES,
        data: Buffer.from([THIS_CHANNEL, PAYLOAD.ipmi, LIST_BY_SUITE | index]),
      },
      waitsMs: SUITES_WAITS_MS,
    });
    if (answer === undefined || answer.code !== 0) break;
    const block = answer.data.subarray(1, 1 + BLOCK_BYTES);
    // Some answer the first block for ever.
    if (blocks.at(-1)?.equals(block) === true) break;
    blocks.push(block);
    if (block.length < BLOCK_BYTES) break;
  }
  const listed = decodeSuiteIds(Buffer.concat(blocks));
  if (listed.length === 0) return CIPHER_SUITES;
  const found = CIPHER_SUITES.filter((suite) => listed.includes(suite.id));
  if (found.length > 0) return found;
  throw new BmcError(
    'unsupported',
    `Controller of provider "${deps.provider}" offers the cipher suites ${listed.join(', ')}; 17 ` +
      'or 3 is needed, because the others leave out the password, the encryption or the integrity',
  );
};

/** Many network chips answer it by themselves while the controller behind them hangs. */
const answersPing = async ({ clock, datagrams, signal }: DiscoveryDeps): Promise<boolean> => {
  const found = await ask({
    ...{ clock, datagrams, signal, waitsMs: PING_WAITS_MS },
    send: (attempt) => encodeRmcp('asf', encodeAsf({ kind: 'ping', tag: attempt + 1 })),
    accept: (bytes) => {
      const rmcp = decodeRmcp(bytes);
      const asf = rmcp?.kind === 'asf' ? decodeAsf(rmcp.body) : undefined;
      return asf?.kind === 'pong' && asf.ipmi ? true : undefined;
    },
  });
  return found === true;
};

type PlainQuestion = { readonly request: IpmiRequest; readonly waitsMs: readonly number[] };

const askPlain = ({ clock, datagrams, signal }: DiscoveryDeps, question: PlainQuestion) => {
  const { request, waitsMs } = question;
  return ask({
    ...{ clock, datagrams, signal, waitsMs },
    send: (attempt) => wrapped(encodeRequest(request, attempt + 1), request.command, attempt),
    accept: (bytes) => {
      const rmcp = decodeRmcp(bytes);
      const packet = rmcp?.kind === 'ipmi' ? decodePacket(rmcp.body) : undefined;
      if (packet === undefined || packet.sessionId !== 0) return undefined;
      const response = decodeResponse(packet.payload);
      return response?.command === request.command ? response : undefined;
    },
  });
};

/** Some know the second question in the newer header only, so every other try has that. */
const wrapped = (message: Buffer, command: number, attempt: number): Buffer => {
  if (command !== GET_CIPHER_SUITES || attempt % 2 === 0) {
    return encodeRmcp('ipmi', encodePlain(message));
  }
  const header = { payloadType: PAYLOAD.ipmi, sessionId: 0, sequence: 0, sealed: false };
  return encodeRmcp('ipmi', encodeRmcpPlus(header, message));
};
