import ava from 'ava';

/** AVA as a test file of a group sees it; see titles-by-file.mjs. */
const file = new URL(import.meta.url).searchParams.get('file') ?? '';
const prefix = file.replaceAll('/', ' › ');

/** Every chain of it (test.serial.skip) declares with the file's name before the title. */
const titled = (target) =>
  new Proxy(target, {
    apply: (declare, self, [title, ...rest]) =>
      Reflect.apply(declare, self, [
        typeof title === 'string' ? `${prefix} › ${title}` : title,
        ...rest,
      ]),
    get: (of, name) => {
      const value = Reflect.get(of, name);
      return typeof value === 'function' && name !== 'macro' ? titled(value) : value;
    },
  });

const titledAva = titled(ava);

export { titledAva as default };
