// The one file of this room that reads the environment.

/** What a daemon we start may know of our environment: nothing of the caller's secrets goes along. */
export const inherited: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'PATH',
    'HOME',
    'LANG',
    'LC_ALL',
    'TMPDIR',
    'TZ',
    'COUNTERFOIL_HOME',
    'XDG_CACHE_HOME',
    'LOG_LEVEL',
  ].flatMap((name) => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value]]
  }),
)
