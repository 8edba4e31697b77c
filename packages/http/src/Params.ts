// What is the same at every door; each daemon's own numbers stand in its `Params.ts`.

/** Requests of one connection that wait for their answers. Clients in use send one at a time. */
export const pipelinedMax = 16
/** What their sender is told to wait, on another connection. */
export const retryAfterSeconds = 1
/** A refused body is read and dropped this long, so that its sender reads why; then the connection is closed. */
export const lingerMs = 2_000
/** An answer that was begun must be taken within this, however slowly it is read: 16 MiB at 0.25 Mbit/s. */
export const replyMs = 600_000
/** How often connections are looked through for those whose time is over. */
export const checkMs = 1_000
/** File handles of a process beside its callers' connections: its own files, database, chain, standard streams. */
export const handlesReserved = 128
/** A door is no door with less, whatever the machine allows. */
export const connectionsMin = 8
/** A pipe that is full is tried again so often, so far apart; then the line is dropped. */
export const logTriesMax = 20
export const logPauseMs = 5
