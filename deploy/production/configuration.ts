import { stringify } from 'yaml';
import { writeWhole } from '../start/state-dir.ts';
import { etcdClientFiles } from './etcd.ts';
import type { Places } from './places.ts';
import type { Member, Plan } from './plan.ts';

const CLUSTER = 'production-example';

/** Writes the configuration of one service process; answers the file. */
export const writeServiceConfig = (member: Member, places: Places, plan: Plan): string => {
  const { name, service, peoplePort, mtlsPort } = member;
  const etcd = etcdClientFiles(places);
  return writeYaml(places.config(`${name}.yaml`), {
    cluster: CLUSTER,
    people: {
      address: '127.0.0.1',
      port: peoplePort,
      certificate_file: places.certificate('people.crt'),
      key_file: places.certificate('people.key'),
    },
    mtls: {
      address: '127.0.0.1',
      port: mtlsPort,
      ca_file: places.certificate('ca.crt'),
      certificate_file: places.certificate(`${service}.crt`),
      key_file: places.certificate(`${service}.key`),
    },
    sql: { url_file: places.secret(`${service}.url`) },
    etcd: {
      endpoints: [`https://127.0.0.1:${plan.etcdPort}`],
      ca_file: etcd.caFile,
      certificate_file: etcd.certificateFile,
      key_file: etcd.keyFile,
    },
    ...(service === 'metadata' && {
      master_key_file: places.secret('master.key'),
      bootstrap_token_file: places.secret('admin.token'),
    }),
    // HAProxy looks every half second and believes the second failure.
    drain_notice: '1500ms',
  });
};

export type AgentPlaces = {
  readonly agentId: string;
  readonly runtimeDir: string;
  readonly qemu: string;
  readonly qemuImg: string;
  readonly trialKernel: string;
};

/** Writes the configuration of this host's agent; answers the file. */
export const writeAgentConfig = (agent: AgentPlaces, places: Places, plan: Plan): string =>
  writeYaml(places.config('agent.yaml'), {
    agent_id: agent.agentId,
    state_dir: places.file('agent'),
    runtime_dir: agent.runtimeDir,
    endpoint: `https://localhost:${plan.peoplePort}`,
    ca_file: places.certificate('ca.crt'),
    join_token_file: places.secret('join.token'),
    machine_addresses: plan.members
      .filter(({ service }) => service === 'machine')
      .map(({ mtlsPort }) => `127.0.0.1:${mtlsPort}`),
    phone_home: { port: plan.phoneHomePort },
    qemu: {
      program: agent.qemu,
      image_program: agent.qemuImg,
      trial_kernel: agent.trialKernel,
    },
    // The example ends its guests with itself; without this they outlive their agent.
    stop_guests_within: '8s',
  });

const writeYaml = (file: string, value: object): string => {
  writeWhole(file, stringify(value));
  return file;
};
