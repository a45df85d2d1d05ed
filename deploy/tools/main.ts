import { parseArgs } from 'node:util';
import { isToolName, TOOL_NAMES } from './catalog.ts';
import { fetchTools } from './fetch.ts';

/**
 * `node deploy/tools/main.ts [--dir <folder>] [--install-system] <tool>…`: brings system programs
 * and prints how each is started. Exit 1 when one is missing, 2 for wrong arguments.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dir: { type: 'string', default: `${process.cwd()}/.runmachine/tools` },
    'install-system': { type: 'boolean', default: false },
  },
});
const wanted = positionals.filter(isToolName);
const unknown = positionals.find((name) => !isToolName(name));
if (unknown !== undefined || wanted.length === 0) {
  const named = unknown === undefined ? 'No tool named' : `Unknown tool "${unknown}"`;
  console.error(`${named}; known are ${TOOL_NAMES.join(', ')}`);
  process.exit(2);
}
const results = await fetchTools({
  toolsDir: values.dir,
  wanted,
  installSystem: values['install-system'],
  log: (line) => console.error(line),
});
for (const [name, result] of results) {
  if (result.kind === 'missing') {
    console.error(`${name}: ${result.reason}\n  ${result.cure}`);
    process.exitCode = 1;
    continue;
  }
  const { path, args, env, source } = result.program;
  console.log(JSON.stringify({ tool: name, source, path, args, env }));
}
