/**
 * One installation at a time: two would delete each other's node_modules. The lock is a folder with
 * the processes that hold it, so that one left behind by a kill can be told from a live one. Plain
 * JavaScript for the same reason as bootstrap.mjs.
 */
import fs from 'node:fs';
import path from 'node:path';

const WAIT_LIMIT_MS = 15 * 60 * 1000;
const POLL_MS = 250;

/** Runs `work` while holding `lockDir`; `fail(cause, cure)` must end the process. */
export const withInstallLock = async ({ lockDir, fail, print, pollMs = POLL_MS }, work) => {
  const until = Date.now() + WAIT_LIMIT_MS;
  let told = false;
  while (!tryLock(lockDir, fail)) {
    const holders = readHolders(lockDir);
    const alive = holders.filter((holder) => isAlive(holder.identity));
    const pid = alive.length > 0 ? alive[0].identity.split(' ')[0] : undefined;
    if (Date.now() > until) {
      fail(
        `process ${pid || 'of an unknown number'} has been installing for long`,
        `End it, or remove ${lockDir} if it hangs.`,
      );
    }
    if (alive.length > 0) {
      if (!told) print(`runmachine: waiting for the installation by process ${pid}`);
      told = true;
    } else {
      // What dead ones left is an empty folder then, which the next try takes.
      for (const { file } of holders) fs.rmSync(file, { force: true });
    }
    await new Promise((resolve) => setTimeout(resolve, alive.length > 0 ? pollMs : 1));
  }
  const unlock = () => release(lockDir);
  process.once('exit', unlock);
  await work();
  // Once: what stands there afterwards may be the lock of somebody who waited for this one.
  process.removeListener('exit', unlock);
  unlock();
};

/** npm goes on when its parent is killed; until it ends the lock must hold. */
export const alsoHeldBy = (lockDir, pid) =>
  fs.writeFileSync(path.join(lockDir, holderName(pid)), identityOf(pid));

const holderName = (pid) => `holder-${pid}`;

/**
 * A folder and its content appear at once by renaming, which replaces an empty folder and fails
 * where somebody's name is in it (rename(2)).
 */
const tryLock = (lockDir, fail) => {
  const own = `${lockDir}.${process.pid}`;
  try {
    fs.mkdirSync(own, { recursive: true });
    alsoHeldBy(own, process.pid);
  } catch (error) {
    const root = path.dirname(lockDir);
    fail(
      `cannot write to ${root} (${error.code})`,
      `Make it yours: \`sudo chown -R "$(id -un)" ${root}\``,
    );
  }
  try {
    fs.renameSync(own, lockDir);
    return true;
  } catch (_error) {
    fs.rmSync(own, { recursive: true, force: true });
    return false;
  }
};

/** Our own name goes last, as whoever waits may take the folder once it is empty. */
const release = (lockDir) => {
  const own = path.join(lockDir, holderName(process.pid));
  for (const { file } of readHolders(lockDir)) {
    if (file !== own) fs.rmSync(file, { force: true });
  }
  fs.rmSync(own, { force: true });
  try {
    fs.rmdirSync(lockDir);
  } catch (_error) {
    // It is the next one's already.
  }
};

/** None where the lock is given back meanwhile. */
const readHolders = (folder) => {
  try {
    const files = fs.readdirSync(folder).sort();
    return files.map((name) => {
      const file = path.join(folder, name);
      return { file, identity: fs.readFileSync(file, 'utf8') };
    });
  } catch (_error) {
    return [];
  }
};

/** A pid may have been given to another process since; its start time tells (on Linux). */
const identityOf = (pid) => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return `${pid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch (_error) {
    return `${pid} 0`;
  }
};

const isAlive = (holder) => {
  const pid = holder.split(' ')[0];
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (error.code !== 'EPERM') return false;
  }
  return identityOf(pid) === holder;
};
