/**
 * Memory management in sysfs: `/sys/kernel/mm`.
 *
 * *Document*: Linux 3.5 `Documentation/vm/transhuge.txt`, `Documentation/vm/hugetlbpage.txt`, `mm/huge_memory.c`
 * (`double_flag_store`), `mm/hugetlb.c`.
 *
 * *Modelled*: the pool of huge pages, `hugepages/hugepages-2048kB`.
 *
 * *Deviations*: `transparent_hugepage/enabled` and `defrag` are kept and change nothing: no page of the model is larger
 * than another.
 *
 * @module
 */

import { attribute, directory, readOnly } from "../computed_nodes.ts";
import { EINVAL } from "../../errno.ts";
import { HUGE_PAGE_MIB, type Memory } from "../../memory.ts";
import type { AttributeNode, DirectoryNode } from "../vfs.ts";

/** The directory. */
export function sysfsMm(memory: Memory): DirectoryNode {
  const pool = directory({
    nr_hugepages: attribute(0o644, () => `${memory.hugePages}\n`, (text) => {
      if (!/^\s*\d+\s*$/.test(text)) return EINVAL;
      memory.setHugePages(Number(text));
    }),
    free_hugepages: readOnly(() => `${memory.hugePages}\n`),
  });
  return directory({
    hugepages: directory({ [`hugepages-${HUGE_PAGE_MIB * 1024}kB`]: pool }),
    transparent_hugepage: directory({
      defrag: choice(["always", "madvise", "never"], "always"),
      enabled: choice(["always", "madvise", "never"], "always"),
    }),
  });
}

/** One of several words; a read shows all, the present one in brackets. */
function choice(words: readonly string[], first: string): AttributeNode {
  let now = first;
  return attribute(
    0o644,
    () => `${words.map((word) => word === now ? `[${word}]` : word).join(" ")}\n`,
    (text) => {
      const word = text.trim();
      if (!words.includes(word)) return EINVAL;
      now = word;
    },
  );
}
