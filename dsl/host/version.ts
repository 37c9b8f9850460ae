/** The release; that of deno.json. */
export const VERSION = "0.8.1";
