/**
 * Loaded into a measured run with `deno run --preload`: says at its end, on standard error, what the whole process
 * used. The times include start-up, compilation and all threads; only the last instants of the process are missing.
 */
import process from "node:process";

globalThis.addEventListener("unload", () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  console.error(
    `@bench ${JSON.stringify({ userS: userCPUTime / 1e6, systemS: systemCPUTime / 1e6, maxRssKiB: maxRSS })}`,
  );
});
