/** From an address to an open session: socket, discovery, handshake, privilege. */
import type { Clock } from '../../../../runtime/clock.ts';
import type { Random } from '../../../../runtime/random.ts';
import { type BmcAddress, type BmcCredentials, BmcError } from '../../../bmc-port.ts';
import type { CipherSuite } from '../wire/cipher-suite.ts';
import { completionError } from '../wire/completion-code.ts';
import { type Datagrams, endpointOf, openDatagrams } from './datagrams.ts';
import { checkRmcpPlus, suitesToTry } from './discovery.ts';
import { createSession, type Session } from './session.ts';
import { PRIVILEGE, signIn } from './sign-in.ts';

export type ConnectDeps = { readonly clock: Clock; readonly random: Random };

export type Connector = {
  readonly connect: (credentials: BmcCredentials, signal: AbortSignal) => Promise<Session>;
};

const SET_PRIVILEGE = { netFn: 0x06, command: 0x3b } as const;

/** Remembers which suite worked, so that only the first connection asks for it. */
export const createConnector = (deps: ConnectDeps, address: BmcAddress): Connector => {
  const { provider } = address;
  const endpoint = endpointOf(address.address);
  let known: CipherSuite | undefined;

  const over = async (datagrams: Datagrams, credentials: BmcCredentials, signal: AbortSignal) => {
    const common = { ...deps, datagrams, provider, signal };
    const suites = known === undefined ? await discovered(common) : [known];
    const signedIn = await signIn({ ...common, credentials }, suites);
    known = signedIn.suite;
    return await raised(createSession(common, signedIn), provider, signal);
  };

  return {
    connect: async (credentials, signal) => {
      if (endpoint === undefined) {
        const message = `"${address.address}" is no address of a controller: host or host:port`;
        throw new BmcError('unreachable', message);
      }
      const datagrams = await openDatagrams(endpoint, { provider, signal });
      try {
        return await over(datagrams, credentials, signal);
      } catch (error) {
        datagrams.close();
        throw error;
      }
    },
  };
};

type Discovery = Parameters<typeof suitesToTry>[0];

const discovered = async (
  common: Omit<Discovery, 'privilege'>,
): Promise<readonly CipherSuite[]> => {
  const asking = { ...common, privilege: PRIVILEGE.administrator };
  await checkRmcpPlus(asking);
  return suitesToTry(asking);
};

const LEVELS = [PRIVILEGE.administrator, PRIVILEGE.operator, PRIVILEGE.user];
/** Not for this user; more than user or channel may (§22.18). */
const TOO_HIGH = new Set([0x80, 0x81]);

/**
 * A session starts as a user's whatever it was opened for (IPMI 2.0 §6.8, §22.18). Some open it
 * for any role and say only here that the user may not go so high.
 */
const raised = async (
  session: Session,
  provider: string,
  signal: AbortSignal,
): Promise<Session> => {
  const { signedIn } = session;
  let last = 0;
  for (const privilege of LEVELS.filter((level) => level <= signedIn.privilege)) {
    const asked = { ...SET_PRIVILEGE, data: Buffer.from([privilege]) };
    last = (await session.request(asked, signal)).code;
    if (last === 0) return { ...session, signedIn: { ...signedIn, privilege } };
    if (!TOO_HIGH.has(last)) break;
  }
  await session.close(signal);
  throw completionError(provider, 'the privilege level', last);
};
