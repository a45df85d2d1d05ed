#!/usr/bin/env node
// The entry of npx and of the shim. Plain JavaScript, so that an old Node gets a sentence and not a syntax error.
import module from 'node:module';

const major = Number(process.versions.node.split('.')[0]);
if (major < 26) {
  process.stderr.write(
    `runm needs Node 26, this is ${process.version}. Run it as \`npx runm\` inside the checkout, or use the ` +
      'runm that `npm start` put beside its state.\n',
  );
  process.exit(2);
}
module.enableCompileCache?.();
const { main } = await import('./main.ts');
process.exitCode = await main(process.argv.slice(2));
