/**
 * What a script may use up. A limit that is reached is an error of the script, with a text of its own: never an
 * exception of this program, never memory without end.
 *
 * Time is no limit here: a loop that never ends costs simulated time, and is ended by whoever gives it only so much of
 * it, or by Ctrl-C.
 *
 * @module
 */
/**
 * How deep commands, expansions and operands may stand in each other: 56 levels of `if`, 28 of `$( )` or of parentheses
 * in an expression. With it the parser takes about half of the stack.
 */
export const MAX_RULE_DEPTH = 56;

/** How many operators an expression may have beside each other. */
export const MAX_OPERATORS = 500;

/** How deep the text of a variable may be an expression that names another (bash: 1024). */
export const MAX_EXPRESSION_DEPTH = 64;

/** How deep commands may run inside each other: functions, `eval`, subshells, compound commands. */
export const MAX_COMMAND_DEPTH = 250;

/** How many coroutines of the shell may be there at once: jobs and elements of pipelines. */
export const MAX_JOBS = 1000;

/** The longest text, in UTF-16 units: a variable, a command's output that is taken in, a field. */
export const MAX_TEXT = 4 << 20;

/** How much the variables of one shell may hold together, in UTF-16 units. */
export const MAX_VARIABLES = 64 << 20;

/** How much a pipe may hold that nobody reads, in UTF-16 units. */
export const MAX_PIPE = 64 << 20;

/** How many words one command may have. */
export const MAX_WORDS = 100_000;

/** How often the loops of one awk program may turn. */
export const MAX_AWK_PASSES = 1_000_000;

/** How many commands one run of sed may carry out. */
export const MAX_SED_STEPS = 1_000_000;

/** What the kernel answers where there is no memory left. */
export const noMemory = { name: "ENOMEM", number: 12, message: "Cannot allocate memory" } as const;
