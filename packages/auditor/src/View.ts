/**
 * Who looks, and when in seconds of chain time: readers whom the operator named see what is found at once, everybody else a
 * day later.
 */
export type View = { readonly viewer: 'reader' | 'anybody'; readonly seconds: number }
