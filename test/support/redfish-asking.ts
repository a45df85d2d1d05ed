import { request } from 'node:https';
import { USER } from './redfish-lab.ts';

export type Asked = {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Without user and password. */
  readonly anonymous?: boolean;
};

export type Told = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Empty where there was none. */
  readonly body: Readonly<Record<string, unknown>>;
};

/** Asks a controller of the lab past our own client. */
export const askRedfish = async (
  lab: { readonly http: { readonly url: string } },
  path: string,
  { method = 'GET', body, headers = {}, anonymous = false }: Asked = {},
): Promise<Told> => {
  const { promise, resolve, reject } = Promise.withResolvers<Told>();
  const sending = request(new URL(path, lab.http.url), {
    ...{ method, rejectUnauthorized: false },
    ...(anonymous ? {} : { auth: `${USER.user}:${USER.password}` }),
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  sending.once('error', reject);
  sending.once('response', async (answer) => {
    try {
      const parts: Buffer[] = [];
      for await (const part of answer) parts.push(Buffer.from(part));
      const text = Buffer.concat(parts).toString();
      const isJson = String(answer.headers['content-type']).includes('json');
      resolve({
        status: answer.statusCode ?? 0,
        headers: answer.headers,
        body: isJson && text !== '' ? JSON.parse(text) : {},
      });
    } catch (error) {
      reject(error);
    }
  });
  sending.end(body === undefined ? undefined : JSON.stringify(body));
  return await promise;
};
