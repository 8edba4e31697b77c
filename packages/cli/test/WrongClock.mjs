// node --import WrongClock.mjs?ms=N: a process, and all that it starts, whose clock is N milliseconds ahead.
const aheadMs = Number(new URL(import.meta.url).searchParams.get('ms'))
const Right = Date
globalThis.Date = class extends Right {
  constructor(...given) {
    if (given.length === 0) super(Right.now() + aheadMs)
    else super(...given)
  }
  static now() {
    return Right.now() + aheadMs
  }
}
