import type { Transport } from '@connectrpc/connect';
import { createPeopleTransport } from '../runtime/client.ts';
import type { Settings } from './profile.ts';

/** Connects on first use, so that help and completion cost no handshake. */
export const lazyTransport = (
  settings: Settings,
): { transport: () => Transport; close: () => void } => {
  let opened: ReturnType<typeof createPeopleTransport> | undefined;
  return {
    transport: () => {
      opened ??= createPeopleTransport({
        endpoint: settings.endpoint,
        ...(settings.caPem === undefined ? {} : { caPem: settings.caPem }),
        ...(settings.token === undefined ? {} : { token: settings.token }),
      });
      return opened.transport;
    },
    close: () => opened?.close(),
  };
};
