/** Rules of what operators declare of a provider beside its amounts. */
import type { FieldViolation } from '../../runtime/errors.ts';

export type DeclaredNic = {
  readonly label: string;
  /** Lower case with colons; empty: unknown. */
  readonly mac: string;
  readonly primary: boolean;
  /** It is the port of the management controller. */
  readonly isOfBmc: boolean;
};

export type DeclaredPool = { readonly role: string; readonly agents: readonly string[] };

const ID = '[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?';
const AGENT = new RegExp(`^partitions/(?<partition>${ID})/agents/(?<agent>${ID})$`);
const SECRET = new RegExp(`^projects/${ID}/secrets/${ID}$`);

/** What is wrong, field by field; empty: nothing. */
export const nicViolations = (nics: readonly DeclaredNic[]): FieldViolation[] => {
  const labels = new Set<string>();
  const macs = new Set<string>();
  let hasPrimary = false;
  return nics.flatMap(({ label, mac, primary, isOfBmc }, index) => {
    const at = `spec.nics[${index}]`;
    const found: FieldViolation[] = [];
    const add = (field: string, description: string) =>
      found.push({ field: `${at}.${field}`, description });
    if (labels.has(label)) add('label', `"${label}" stands here twice`);
    if (mac !== '' && macs.has(mac)) add('mac', `"${mac}" stands here twice`);
    if (primary && isOfBmc) add('primary', 'a machine does not boot from the port of its BMC');
    if (primary && hasPrimary) add('primary', 'only one NIC can be the primary one');
    labels.add(label);
    macs.add(mac);
    hasPrimary ||= primary;
    return found;
  });
};

export const poolViolations = (
  pools: readonly DeclaredPool[],
  partition: string,
): FieldViolation[] => {
  const roles = new Set<string>();
  return pools.flatMap(({ role, agents }, index) => {
    const at = `spec.agent_pools[${index}]`;
    const found: FieldViolation[] = [];
    if (roles.has(role)) {
      found.push({ field: `${at}.role`, description: `"${role}" stands here twice` });
    }
    roles.add(role);
    for (const agent of agents) {
      const groups = AGENT.exec(agent)?.groups;
      if (groups?.partition?.toLowerCase() === partition.toLowerCase()) continue;
      const description = `"${agent}" is no "partitions/${partition}/agents/{agent}"`;
      found.push({ field: `${at}.agents`, description });
    }
    return found;
  });
};

/** `secret` names user and password of a BMC; empty: none. */
export const secretViolations = (secret: string): FieldViolation[] =>
  secret === '' || SECRET.test(secret)
    ? []
    : [{ field: 'spec.bmc.secret', description: 'must be "projects/{project}/secrets/{secret}"' }];

/** The agent's name with its partition spelled as it is; for a name without violations. */
export const agentName = (agent: string, partition: string): string =>
  `partitions/${partition}/agents/${AGENT.exec(agent)?.groups?.agent ?? ''}`;
