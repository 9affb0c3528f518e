// What the scripts take with `-e NAME=value`, checked before the run starts.

/** One instance of the server, or several with commas between, which the virtual users take in turn. */
export const baseUrls = (__ENV.BASE_URL || 'http://localhost:8080')
  .split(',')
  .map((url) => url.trim().replace(/\/+$/, ''))
export const userId = wholeNumber('USER_ID', 1, 1)
export const userCount = wholeNumber('USER_COUNT', 100, 1)
export const chargeAmount = wholeNumber('CHARGE_AMOUNT', 10000, 1)
/** How many times at once a request is sent, where keys are repeated. */
export const copies = wholeNumber('COPIES', 3, 1)
/** How often a request is repeated that was not answered, or with 5xx. */
export const mostRepeats = wholeNumber('MOST_REPEATS', 8, 1)
/** Whether what is contended (409) is repeated too, after the time of its `Retry-After`. */
export const repeatsContended = __ENV.REPEAT_CONTENDED === 'true'
/** Seconds between two requests of a virtual user. */
export const thinkSeconds = atLeastZero('THINK_SECONDS', 1)
/** Prints a line for every acknowledged charge, for comparing with the server's records, and for every other answer. */
export const printAcknowledged = __ENV.PRINT_ACKNOWLEDGED === 'true'

/** Three steps up (a tenth, a half, all of the virtual users), each held, and down. */
export const stages = ramp({
  topVus: wholeNumber('TOP_VUS', 1000, 1),
  rampSeconds: wholeNumber('RAMP_SECONDS', 30, 1),
  holdSeconds: wholeNumber('HOLD_SECONDS', 60, 1),
})

function ramp({ topVus, rampSeconds, holdSeconds }) {
  const steps = [topVus / 10, topVus / 2, topVus].map(Math.ceil).flatMap((target) => [
    { target, duration: `${rampSeconds}s` },
    { target, duration: `${holdSeconds}s` },
  ])
  return [...steps, { target: 0, duration: `${rampSeconds}s` }]
}

function wholeNumber(name, fallback, least) {
  const value = Number(__ENV[name] || fallback)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new Error(`${name} must be a whole number of at least ${least}, but is ${__ENV[name]}`)
}

function atLeastZero(name, fallback) {
  const value = Number(__ENV[name] || fallback)
  if (Number.isFinite(value) && value >= 0) return value
  throw new Error(`${name} must be a number of at least 0, but is ${__ENV[name]}`)
}
