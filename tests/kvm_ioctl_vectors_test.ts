/**
 * The recorded results of KVM's ioctls: how many of them hold, and what of Linux 6.18 the model has not. (That none fails
 * is `vectors_test.ts`'s.)
 */

import { assert, assertEquals } from "@std/assert";
import { runVectorFile } from "./vectors.ts";

const report = runVectorFile(new URL("./vectors/kvm-ioctl-errno.json", import.meta.url).pathname)!;
const unmodelled = report.expected.filter(({ reason }) => reason.includes(" is not modelled: "));

Deno.test("at least 95 of 100 recorded cases on what is modelled hold", () => {
  const total = report.passed + report.failures.length + report.expected.length;
  assertEquals(total, 1347);
  const modelled = total - unmodelled.length;
  assert(report.passed >= 0.95 * modelled, `${report.passed} of ${modelled}`);
  assertEquals(report.expected.length - unmodelled.length, 2, "differences that are the recording's");
});

Deno.test("of the requests and capabilities recorded, those that the model has not answer as where they are not there", () => {
  const names = new Set(unmodelled.map(({ reason }) => reason.slice(0, reason.indexOf(" "))));
  assertEquals([...names].sort(), [
    "KVM_CAP_EXIT_ON_EMULATION_FAILURE",
    "KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2",
    "KVM_CAP_X86_USER_SPACE_MSR",
    "KVM_CLEAR_DIRTY_LOG",
    "KVM_CREATE_DEVICE",
    "KVM_CREATE_GUEST_MEMFD",
    "KVM_GET_DEVICE_ATTR",
    "KVM_GET_DIRTY_LOG",
    "KVM_GET_NESTED_STATE",
    "KVM_GET_ONE_REG",
    "KVM_GET_REG_LIST",
    "KVM_GET_SREGS2",
    "KVM_GET_STATS_FD",
    "KVM_GET_XSAVE2",
    "KVM_HAS_DEVICE_ATTR",
    "KVM_MEMORY_ENCRYPT_OP",
    "KVM_MEMORY_ENCRYPT_UNREG_REGION",
    "KVM_RESET_DIRTY_RINGS",
    "KVM_SET_DEVICE_ATTR",
    "KVM_SET_GUEST_DEBUG",
    "KVM_SET_NESTED_STATE",
    "KVM_SET_ONE_REG",
    "KVM_SET_SREGS2",
    "KVM_SET_USER_MEMORY_REGION2",
    "KVM_SMI",
    "KVM_TRANSLATE",
    "KVM_X86_SET_MSR_FILTER",
  ]);
});
