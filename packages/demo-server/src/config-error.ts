/** A setting that the server does not start with. The message names the variable and says what it takes. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}
