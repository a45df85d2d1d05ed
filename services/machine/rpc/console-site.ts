/** Where the console of a machine is, and how it is opened there. */
import { createClient, type HandlerContext } from '@connectrpc/connect';
import {
  type AttachConsoleResponse,
  ConsoleService,
} from '../../../gen/runmachine/machine/v1/console_service_pb.ts';
import { callOf } from '../../runtime/context.ts';
import { unavailable } from '../../runtime/errors.ts';
import type { Connect } from '../../runtime/service.ts';
import type { Actor, Reader } from '../../store/sql/transaction.ts';
import type { AgentHub, AgentSession, ConsoleHub, OpenConsole } from '../agent-port.ts';
import type { ConsoleIssuers } from '../console-ports.ts';
import { event } from '../domain/event.ts';
import { type Machine, machineName } from '../domain/machine.ts';
import { output } from './console-stream.ts';
import type { RpcDeps } from './rpc-deps.ts';

export type ConsoleRpcDeps = RpcDeps & {
  readonly hub: Pick<AgentHub, 'sessionOf'>;
  readonly consoles: ConsoleHub;
  readonly issuers: ConsoleIssuers;
  readonly connect: Connect;
  readonly replicaId: string;
};

/** Where the console of a machine is. */
export type Site =
  | { readonly kind: 'here'; readonly machine: Machine; readonly session: AgentSession }
  | { readonly kind: 'there'; readonly machine: Machine; readonly address: string };

/** `find` may throw. Errors: unavailable NO_AGENT. */
export const locate = async (
  deps: ConsoleRpcDeps,
  find: (reader: Reader) => Promise<Machine>,
  context: HandlerContext,
): Promise<Site> => {
  const { machine, agentKey, agent } = await deps.store.read(async (reader) => {
    const found = await find(reader);
    const assignment = await deps.records.assignments.find(reader, found.uid);
    const key = assignment === undefined || assignment.absent ? '' : assignment.agentKey;
    const row = key === '' ? undefined : await deps.records.agents.findByKey(reader, key);
    return { machine: found, agentKey: key, agent: row };
  });
  if (agentKey === '') throw noAgent(machine, 'no agent has it yet');
  if (machine.wanted.access === false) throw noAgent(machine, 'the access to it has ended');
  const session = deps.hub.sessionOf(agentKey);
  if (session !== undefined) return { kind: 'here', machine, session };
  if (agent === undefined) throw noAgent(machine, `${agentKey} has never connected`);
  if (agent.state === 'revoked') throw noAgent(machine, `${agentKey} was revoked`);
  const since = new Date(agent.sinceMs).toISOString();
  const isConnected = agent.state === 'up' || agent.state === 'drained';
  if (!isConnected) throw noAgent(machine, `${agentKey} is down since ${since}`);
  const isMine = agent.replica === deps.replicaId;
  // A call that was passed on already stops here: the row was old at one of the two.
  if (isMine || callOf(context).hops > 0) throw noAgent(machine, `${agentKey} has just moved`);
  return { kind: 'there', machine, address: agent.address };
};

const noAgent = (machine: Machine, why: string) =>
  unavailable('NO_AGENT', `The console of "${machineName(machine)}" cannot be reached: ${why}`, {
    metadata: { name: machineName(machine) },
    retryAfterMs: 1_000,
  });

export const clientAt = (deps: ConsoleRpcDeps, address: string) =>
  createClient(ConsoleService, deps.connect.transportToAddress(address));

export type Opening = {
  /** Who looks at it, for whoever is taken over and the timeline. */
  readonly by: string;
  /** Who answers for it. */
  readonly principal: string;
  readonly actor: Actor;
  readonly readOnly: boolean;
  readonly replayBytes: number;
  readonly reason: string;
  readonly context: HandlerContext;
};

/** Opens at the agent and records who looks at a tenant's console. */
export const open = async (
  deps: ConsoleRpcDeps,
  { machine, session }: Extract<Site, { kind: 'here' }>,
  { by, principal, actor, readOnly, replayBytes, reason, context }: Opening,
): Promise<OpenConsole> => {
  const order = { targetUid: machine.uid, readOnly, replayBytes, logOnly: false, by, reason };
  const opened = await deps.consoles.open(session, order, context.signal);
  // Whoever waits for output of a silent guest must notice that the caller is gone.
  context.signal.addEventListener('abort', opened.close, { once: true });
  try {
    await deps.store.transaction(undefined, actor, async (tx) => {
      tx.audit({
        action: 'machine.console',
        objectKind: 'machine',
        objectUid: machine.uid,
        objectName: machineName(machine),
        projectUid: machine.project,
        partition: machine.partition,
        after: { read_only: opened.readOnly, reason },
      });
      const nowMs = deps.clock.now().getTime();
      const how = opened.readOnly ? 'reads' : 'opened';
      const message = `${by} ${how} the console${reason === '' ? '' : `: ${reason}`}`;
      const events = [event(nowMs, { type: 'machine.console_opened', message })];
      await deps.writer.tell(tx, { machine, events, principal, operation: '' });
      const { id: uid, targetUid } = opened;
      const open = { uid, targetUid, replica: deps.replicaId, principal: by, sinceMs: nowMs };
      await deps.records.consoles.insert(tx, open);
    });
  } catch (error) {
    opened.close();
    throw error;
  }
  return opened;
};

/** While it lasts others can see that it is open. */
export async function* known(
  deps: ConsoleRpcDeps,
  opened: OpenConsole,
): AsyncGenerator<AttachConsoleResponse> {
  try {
    yield* output(opened);
  } finally {
    const actor = { principal: opened.by, requestId: opened.id };
    await deps.store
      .transaction(undefined, actor, (tx) => deps.records.consoles.remove(tx, opened.id))
      .catch((error: unknown) => deps.log.warn({ err: error }, 'a console is shown as open'));
  }
}
