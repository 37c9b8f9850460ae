import { Lab } from "@rtkvm/rtkvm";
Deno.test("x", async () => { await using lab = await Lab.boot(); console.log(lab.event) });
