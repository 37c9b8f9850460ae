import { assert, assertEquals } from "@std/assert";
import { Lab } from "@rtkvm/rtkvm";

const setup = `
  echo 0 > /sys/devices/system/cpu/cpu3/online
  qemu-kvm.patched -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic
  ssh vm0 true
`;

Deno.test("on the dedicated CPU no period of cyclictest leaves the guest", async () => {
  await using lab = await Lab.boot({ system: "rfc-v2", seed: 7 });
  await lab.sh`${setup}`;
  await lab.sh`ssh vm0 cyclictest -a 0 -m -q -p 99 -n -l ${1000}`;
  const [result] = lab.results;
  assertEquals(result?.exits.total, 0);
  assert(result?.maxUs !== undefined && result.maxUs < 20);
});

Deno.test("a CPU that is online cannot become a slave", async () => {
  await using lab = await Lab.boot();
  await lab.sh`qemu-kvm.patched -S -m 1024 -cpu qemu64,+x2apic -enable-kvm -no-kvm-pit -nographic`;
  const { status, stderr } = await lab.sh`ioctl(vcpu[0], KVM_SET_SLAVE_CPU, 3);`.nothrow();
  assertEquals(status, 1);
  assert(stderr.includes("EINVAL"));
});
