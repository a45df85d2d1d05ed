/** Pages of other origins in a real browser: what a listed one can do, and that no other can. */
import { join } from 'node:path';
import { needs, slot } from '../needs.ts';
import {
  type Browser,
  bundle,
  type Site,
  serveScript,
  startBrowser,
  trustedKeyOf,
} from '../support/browser.ts';
import { createInstallation, type Installation } from '../support/installation.ts';
import type { PageAnswer, PageCall } from './browser-page/main.ts';

const need = needs('chromium', 'qemu', 'qemu-img', 'busybox', 'kernel');
const { test } = need;

const PAGE = join(import.meta.dirname, 'browser-page/main.ts');
const parts = new AsyncDisposableStack();
let listed: Site;
let unlisted: Site;
let here: Installation;
let browser: Browser;

test.before(async () => {
  parts.use(await slot('guest'));
  const script = await bundle(PAGE);
  listed = parts.use(await serveScript(script));
  unlisted = parts.use(await serveScript(script));
  here = parts.use(await createInstallation());
  await here.start('--no-demo', '--no-lab', '--origin', listed.origin);
  const keys = [await trustedKeyOf(here.endpoint, here.caPem())];
  browser = parts.use(await startBrowser(need.program('chromium'), keys));
});
test.after.always(() => parts.disposeAsync());

type Seen = { readonly answer: PageAnswer /** The browser's own words. */; readonly said: string };

const callFrom = async (
  { origin }: Site,
  protocol: PageCall['protocol'],
  token = here.token(),
): Promise<Seen> => {
  const page = await browser.context.newPage();
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  try {
    await page.goto(`${origin}/`);
    const asked: PageCall = { protocol, baseUrl: here.endpoint, token, parent: 'partitions/lab' };
    const answer: PageAnswer = await page.evaluate(async (call) => {
      const made: unknown = Reflect.get(globalThis, 'callAll');
      if (typeof made !== 'function') throw new Error('the script of the page did not run');
      return made(call);
    }, asked);
    return { answer, said: said.join('\n') };
  } finally {
    await page.close();
  }
};

for (const protocol of ['connect', 'connect-get', 'grpc-web'] as const) {
  test(`a page of a listed origin calls, watches and reads errors over ${protocol}`, async (t) => {
    const { answer } = await callFrom(listed, protocol);
    if (answer.kind === 'failed') return t.fail(JSON.stringify(answer.error));
    t.is(answer.principal, 'users/admin');
    t.is(answer.providers.length, 1, 'this host');
    t.like(answer.error, { code: 'NotFound', reason: 'NOT_FOUND', domain: 'runmachine' });
    t.regex(answer.error.message, /providers\/nobody/);
  });

  test(`a page of another origin gets nothing over ${protocol}`, async (t) => {
    const { answer, said } = await callFrom(unlisted, protocol);
    if (answer.kind === 'answered') return t.fail('the page was answered');
    t.regex(answer.error.message, /Failed to fetch/);
    t.regex(said, /blocked by CORS policy/);
  });

  test(`a page with a wrong token reads why it is refused over ${protocol}`, async (t) => {
    const { answer } = await callFrom(listed, protocol, 'wrong');
    if (answer.kind === 'answered') return t.fail('the page was answered');
    t.like(answer.error, { code: 'Unauthenticated', reason: 'BAD_CREDENTIALS' });
  });
}
