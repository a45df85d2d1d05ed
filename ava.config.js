export default {
  files: ['test/**/*.test.ts', '!test/bench/**'],
  extensions: ['ts'],
  timeout: '4m',
  failFast: false,
};
