import { createServer } from 'node:http';

export type PhoneCall = {
  readonly path: string;
  readonly kernelRelease: string;
  readonly bootId: string;
  readonly hostname: string;
};

export type PhoneHomeServer = AsyncDisposable & {
  /** As a guest on qemu's user-mode network reaches it. */
  readonly guestUrl: string;
  readonly calls: readonly PhoneCall[];
};

/** Takes what guests post; the first `refusals` posts are answered with 503. */
export const phoneHomeServer = async ({ refusals = 0 } = {}): Promise<PhoneHomeServer> => {
  const calls: PhoneCall[] = [];
  let left = refusals;
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      left -= 1;
      if (left >= 0) {
        response.writeHead(503).end();
        return;
      }
      const body: Record<string, string> = JSON.parse(Buffer.concat(parts).toString());
      calls.push({
        path: request.url ?? '',
        kernelRelease: body.kernel_release ?? '',
        bootId: body.boot_id ?? '',
        hostname: body.hostname ?? '',
      });
      response.writeHead(204).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    guestUrl: `http://10.0.2.2:${address.port}/phone-home`,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
