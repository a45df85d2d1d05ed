import { readFileSync } from 'node:fs';
import { SERVICE_NAMES, SERVICE_OF_AREA, type ServiceName } from '../../services/contract.ts';
import { writeWhole } from '../start/state-dir.ts';
import type { Program } from '../tools/program.ts';
import type { ProcessSpec } from './managed-process.ts';
import type { Places } from './places.ts';
import type { Plan } from './plan.ts';

const END_LIMIT_MS = 5_000;

/** Packages of the contract whose area's name is not its service's. */
const AREAS: Readonly<Record<string, ServiceName>> = {
  ...SERVICE_OF_AREA,
  agent: 'machine',
};

/** Writes the configuration and tells how HAProxy is started. */
export const prepareHaproxy = (
  haproxy: Program,
  { places, plan }: { readonly places: Places; readonly plan: Plan },
): ProcessSpec => {
  const file = places.config('haproxy.cfg');
  writeWhole(file, haproxyConfiguration(plan, places));
  joinPem(places);
  return {
    name: 'haproxy',
    path: haproxy.path,
    // A master that reads everything again on SIGUSR2 and keeps old connections until they end.
    args: [...haproxy.args, '-W', '-f', file],
    env: haproxy.env,
    cwd: places.dir,
    logFile: places.log('haproxy'),
    endLimitMs: END_LIMIT_MS,
  };
};

/** HAProxy wants certificate and key in one file. */
export const joinPem = (places: Places): void => {
  const parts = ['people.crt', 'people.key'].map((name) =>
    readFileSync(places.certificate(name), 'utf8'),
  );
  writeWhole(places.certificate('haproxy.pem'), parts.join(''), 0o600);
};

export const haproxyConfiguration = (plan: Plan, places: Places): string => `\
# Written by deploy/production at each start.
global
    log stdout format raw local0 err
    maxconn 2000
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    log global
    timeout connect 2s
    timeout http-request 15s
    timeout http-keep-alive 5m
    timeout queue 10s
    # Checks follow each other twice a second, but a busy machine may answer later.
    timeout check 3s
    # Consoles and watches are calls that say nothing for long.
    timeout client 1h
    timeout server 1h
    # Who vanished without a word is noticed within half a minute, also while he is written to.
    option clitcpka
    clitcpka-idle 10s
    clitcpka-intvl 5s
    clitcpka-cnt 3
    option srvtcpka
    # A call that was not sent yet goes to another replica; one that was sent is never repeated.
    retries 3
    option redispatch 1
    retry-on conn-failure

frontend people
    bind 127.0.0.1:${plan.peoplePort} ssl crt ${places.certificate('haproxy.pem')} \
alpn h2,http/1.1 tcp-ut 30s
    option forwardfor
    # Probes and figures are each process's own; ask them there.
    http-request return status 404 if { path /ready /metrics }
${Object.entries(AREAS)
  .map(([area, service]) => `    use_backend ${service} if { path_beg /runmachine.${area}.v1. }`)
  .join('\n')}
    # Health, reflection and whatever else every process answers.
    default_backend metadata

${SERVICE_NAMES.map((service) => backend(service, plan, places)).join('\n')}`;

const backend = (service: ServiceName, plan: Plan, places: Places): string => {
  const ca = places.certificate('ca.crt');
  const servers = plan.members
    .filter((member) => member.service === service)
    .map(({ name, peoplePort }) => `    server ${name} 127.0.0.1:${peoplePort}`);
  return `\
backend ${service}
    balance leastconn
    option httpchk
    http-check send meth GET uri /ready
    http-check expect status 200
    default-server ssl verify required ca-file ${ca} sni str(localhost) verifyhost localhost
    default-server alpn h2 check check-ssl check-alpn http/1.1 check-sni localhost
    default-server inter 500ms fall 2 rise 1
${servers.join('\n')}
`;
};
