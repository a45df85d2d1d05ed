import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import { Channel, type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js';

export type Tls = { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };

/** A name that no certificate has; TLS does not allow an address as server name. */
const NO_SERVER_NAME = 'address.invalid';

/** How every channel to etcd is set up. */
const CHANNEL_OPTIONS: ChannelOptions = {
  // Our own processes are never reached through a proxy, whatever the environment says.
  'grpc.enable_http_proxy': 0,
  // Otherwise a TXT record could set retry policies.
  'grpc.service_config_disable_resolution': 1,
  // A frozen peer keeps its sockets open. etcd refuses pings closer than 5 s.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // The default grows to two minutes, long after etcd is back.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.max_receive_message_length': 64 * 1024 * 1024,
};

/**
 * Options for etcd3 with which its clients use channels of ours. grpc-js gives the host as TLS
 * server name, which Node refuses for an IP address; for one we check the certificate against the
 * address ourselves.
 */
export const channelOptions = (endpoint: string, tls: Tls | undefined): ChannelOptions => {
  const { hostname } = new URL(endpoint);
  const host = hostname.replace(/^\[|\]$/g, '');
  const named = isIP(host) === 0;
  const trust = toCredentials(tls, named ? undefined : host);
  return {
    ...CHANNEL_OPTIONS,
    ...(named || tls === undefined ? {} : { 'grpc.ssl_target_name_override': NO_SERVER_NAME }),
    channelFactoryOverride: (address: string, _none: ChannelCredentials, options: ChannelOptions) =>
      new Channel(address, trust, options),
  };
};

const toCredentials = (tls: Tls | undefined, ip: string | undefined): ChannelCredentials => {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, cert, key } = tls;
  if (ip === undefined) return credentials.createSsl(ca, key, cert);
  return credentials.createSsl(ca, key, cert, {
    checkServerIdentity: (_serverName, certificate) => checkServerIdentity(ip, certificate),
  });
};
